//! Config reaches the app whole, and nothing else.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::fs;
use std::path::Path;

use model::replica::{Phase, ReplicaSpec, Wish};
use stage::{Stage, config};

const SENTINEL: &str = "s3nt1nel-value";

#[tokio::test]
async fn variables_arrive_as_they_are_and_the_platforms_own_are_there() {
    let mut stage = Stage::new().await;
    let profile = "export FROM_PROFILE=\"$GREETING and more\"\n";
    let show = "import os, json\nprint(json.dumps(dict(os.environ)))\nprint(os.getcwd())\nprint(open('/sys/fs/cgroup/memory/memory.limit_in_bytes').read())\n";
    let last = "export FROM_PROFILE=\"$FROM_PROFILE, last\"\n";
    let files =
        [(".profile.d/b.sh", last), (".profile.d/a.sh", profile), (".profile", last), ("show.py", show)];
    let slug = stage.slug(&files).await;
    let value = "line one\nline two\t\"quoted\" $HOME `x` ü";
    let vars = config(&[("GREETING", value), ("HEROKU_APP_NAME", "mine"), ("PATH", "/app/bin:/usr/bin")]);
    let wish = Wish::Once { seconds: 60 };
    let job = ReplicaSpec { config: vars, wish, ..stage.spec(&slug, "worker", "/usr/bin/python3 show.py") };
    stage.desire(&[&job]);
    let exit = stage.phase(&job, Phase::Ended).await.last_exit.unwrap();
    assert_eq!(exit.last_lines.len(), 3, "{:?}", exit.last_lines);
    assert_eq!(exit.last_lines[1..], ["/app", "536870912"]);
    let lines = stage.log();
    let shown = lines.iter().find_map(|line| line.strip_prefix("app[worker.1]: {")).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&format!("{{{shown}")).unwrap();
    let from_profile = format!("{value} and more, last, last");
    for (name, expected) in [
        ("GREETING", value),
        ("FROM_PROFILE", &from_profile),
        ("HOME", "/app"),
        ("PS", "worker.1"),
        ("DYNO", "worker.1"),
        ("PAAS_APP", "shop"),
        ("PAAS_RELEASE", "v7"),
        ("HEROKU_RELEASE_VERSION", "v7"),
        ("HEROKU_APP_NAME", "mine"),
        ("PATH", "/app/bin:/usr/bin"),
    ] {
        assert_eq!(shown[name], expected, "{name}");
    }
    assert_eq!(shown.get("PORT"), None);
    stage.leave(&[&job]).await;
}

#[tokio::test]
async fn config_values_are_in_no_file_and_no_process_argument() {
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("x", "")]).await;
    let vars = config(&[("API_KEY", SENTINEL)]);
    let command = "test \"$API_KEY\" && echo has it; sleep 1000";
    let worker = ReplicaSpec { config: vars, ..stage.spec(&slug, "worker", command) };
    stage.desire(&[&worker]);
    stage.logged("app[worker.1]: has it").await;
    stage.phase(&worker, Phase::Healthy).await;
    let mut read = 0;
    search(stage.dir.path(), &mut read);
    assert!(read > 5, "only {read} files were read");
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!holds(&arguments), "{}", process.path().display());
    }
    let environment =
        fs::read(format!("/proc/{}/environ", stage.supervisor_of(&worker).as_raw_nonzero())).unwrap();
    assert!(!holds(&environment), "the supervisor's own environment");
    stage.leave(&[&worker]).await;
}

fn search(directory: &Path, read: &mut usize) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            search(&entry.path(), read);
        // What is on a replica's disk is searched where it is mounted; an image is mostly a hole of 2 GB.
        } else if kind.is_file() && entry.path().extension().is_none_or(|kind| kind != "img") {
            *read += 1;
            let content = fs::read(entry.path()).unwrap_or_default();
            assert!(!holds(&content), "{}", entry.path().display());
        }
    }
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SENTINEL.len()).any(|window| window == SENTINEL.as_bytes())
}

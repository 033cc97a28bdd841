//! Slugs in a bucket of a real S3 server: deployed to, run from, gone back to, collected, and carried elsewhere by a backup.

use std::fs;
use std::process::Command;

use crate::app::text;
use crate::moto::Bucket;
use crate::platform::{TestPlatform, binary};
use crate::wait;

/// Returns the options of a server whose slugs are there.
pub(crate) fn options(bucket: &Bucket) -> Vec<String> {
    vec![
        "--blobs".to_owned(),
        "s3://blobs/platform".to_owned(),
        "env:AWS_ACCESS_KEY_ID=key".to_owned(),
        "env:AWS_SECRET_ACCESS_KEY=hunter2hunter2".to_owned(),
        format!("env:AWS_ENDPOINT_URL=http://{}", bucket.address),
    ]
}

/// Has a program find the bucket.
pub(crate) fn know(program: &mut Command, bucket: &Bucket) {
    program.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "hunter2hunter2");
    program.env("AWS_ENDPOINT_URL", format!("http://{}", bucket.address));
}

/// Lets a backup hold the collection off that never ends, or ends it.
fn hold(platform: &TestPlatform, until: u64) {
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=60); \
         db.execute(\"insert or replace into meta values ('backup-hold/test', ?)\", (sys.argv[2],)); db.commit()";
    let mut python = Command::new("/usr/bin/python3");
    let done = python.args(["-c", script]).arg(platform.data.join("paas.db")).arg(until.to_string()).status();
    assert!(done.unwrap().success());
}

#[test]
fn slugs_live_in_a_bucket_from_deploy_to_collection() {
    let Some(bucket) = Bucket::start() else { return };
    let options = options(&bucket);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut platform = TestPlatform::start_with(&options);
    let app = platform.app("cloudy");
    app.greets("one").deploy();
    app.greeting("two").deploy();
    assert_eq!((app.get("/").body.as_str(), bucket.count()), ("two", 2));
    assert!(!platform.data.join("blobs").exists(), "nothing is in the directory");
    app.paasctl(&["rollback", "v1"]);
    assert_eq!(app.get("/").body, "one");

    // A host that lost its copies gets them again.
    platform.stop();
    fs::remove_dir_all(platform.data.join("agent/images")).unwrap();
    platform.start_again();
    let app = platform.known_app("cloudy");
    wait::until("the app to answer", || (app.get("/").body == "one").then_some(()));

    app.paasctl(&["ps:scale", "web=0"]);
    hold(&platform, 9_999_999_999_999);
    for number in 3..=23 {
        app.greeting(&number.to_string()).deploy();
    }
    let garbage = app.json(&["gc", "--dry-run"]);
    assert_eq!(garbage["held"], true, "{garbage}");
    // 23 were built; the last 20 stay, and of those before that the ones that served last.
    let listed = garbage["garbage"].as_array().unwrap();
    assert!(!listed.is_empty() && bucket.count() == 23, "{garbage}");
    assert!(listed.iter().all(|one| one["app"] == "cloudy" && one["kind"] == "slug"), "{garbage}");
    let bytes: u64 = listed.iter().map(|one| one["bytes"].as_u64().unwrap()).sum();
    assert_eq!(garbage["bytes"], bytes);
    let shown = text(&app.try_paasctl(&["gc", "--dry-run"]));
    assert!(
        shown.contains("A backup is under way") && shown.contains("older than the last 20 slugs"),
        "{shown}"
    );
    app.paasctl(&["gc"]);
    assert_eq!(bucket.count(), 23, "a backup holds it off");
    hold(&platform, 0);
    app.paasctl(&["gc"]);
    wait::until("the collection", || (bucket.count() == 23 - listed.len()).then_some(()));
    let shown = text(&app.try_paasctl(&["gc", "--dry-run"]));
    assert!(shown.contains("There is nothing to remove."), "{shown}");

    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("b.tar.zst");
    let mut backup = Command::new(binary("paasd"));
    backup.args(["backup", "--blobs", "s3://blobs/platform", "--data-dir"]).arg(&platform.data);
    know(&mut backup, &bucket);
    let done = backup.arg("--to").arg(&file).output().unwrap();
    assert!(done.status.success() && !text(&done).contains("warning"), "{}", text(&done));
    drop(platform);
    drop(bucket);
    let mut restore = Command::new(binary("paasd"));
    let done = restore.args(["restore", "--from"]).arg(&file).arg("--data-dir").arg(kept.path().join("data"));
    let done = done.output().unwrap();
    assert!(done.status.success() && !text(&done).contains("warning"), "{}", text(&done));
    let platform = TestPlatform::start_in(kept.path(), &[]);
    let app = platform.known_app("cloudy");
    fs::create_dir_all(&app.dir).unwrap();
    app.paasctl(&["ps:scale", "-a", "cloudy", "web=1"]);
    assert_eq!(app.get("/").body, "23");
}

#[test]
fn a_server_whose_bucket_is_not_there_says_so_and_does_not_start() {
    let Some(bucket) = Bucket::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut serve = Command::new(binary("paasd"));
    serve.args([
        "serve",
        "--blobs",
        "s3://elsewhere",
        "--listen",
        "127.0.0.1:0",
        "--router-listen",
        "127.0.0.1:0",
    ]);
    know(&mut serve, &bucket);
    let refused = serve.arg("--data-dir").arg(dir.path().join("data")).output().unwrap();
    let text = text(&refused);
    assert!(!refused.status.success() && text.contains("there is no such bucket"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

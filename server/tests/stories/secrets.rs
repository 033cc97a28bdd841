//! A config value appears nowhere but in its app's environment and in what its owner asks for.

use std::path::Path;

use crate::platform::TestPlatform;

const SENTINEL: &str = "sentinel-8f3a-value-that-nobody-may-see";

#[test]
fn a_config_value_is_in_no_log_listing_argument_slug_or_file() {
    let platform = TestPlatform::start();
    let app = platform.app("secretive");
    app.paasctl(&["config:set", &format!("API_KEY={SENTINEL}")]);
    app.greets("one").write("requirements.txt", "").write(
        "bin/pre_compile",
        "#!/bin/bash\necho the key is $API_KEY\necho all: $(cat /tmp/env/* 2>/dev/null)\n",
    );
    app.executable("bin/pre_compile").commit("Print the key");
    let pushed = app.deploy();
    assert!(pushed.contains("the key is [hidden"), "the hook saw the key and it was masked: {pushed}");
    let mut surfaces = vec![("push", pushed)];
    assert_eq!(app.get("/env/API_KEY").body, SENTINEL, "the app itself has it");
    let refused = app.try_paasctl(&["config:set", &format!("1BAD={SENTINEL}")]);
    surfaces.push(("refusal", crate::app::text(&refused)));
    for command in ["ps", "releases", "builds", "activity", "apps", "logs", "doctor"] {
        for arguments in [vec![command], vec![command, "--json"]] {
            surfaces.push((command, crate::app::text(&app.try_paasctl(&arguments))));
        }
    }
    surfaces.push(("releases:info", crate::app::text(&app.try_paasctl(&["releases:info", "v1", "--json"]))));
    surfaces.push(("build", app.paasctl(&["builds:output"])));
    surfaces.push(("server log", platform.server_log()));
    surfaces.push(("arguments", all_arguments()));
    for (name, text) in &surfaces {
        assert!(!text.contains(SENTINEL), "{name} shows it: {text}");
    }
    assert_no_file_holds(&platform.data, SENTINEL.as_bytes());
}

fn all_arguments() -> String {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let own = std::process::id().to_string();
    processes
        .filter(|entry| entry.file_name().to_str() != Some(&own))
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| !line.contains("stories"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn assert_no_file_holds(dir: &Path, needle: &[u8]) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            assert_no_file_holds(&entry.path(), needle);
        } else if kind.is_file() {
            assert!(!holds(&entry.path(), needle), "{} holds it", entry.path().display());
        }
    }
}

/// Tells whether a file has these bytes, without reading the holes of one that is sparse, as a replica's disk is.
fn holds(path: &Path, needle: &[u8]) -> bool {
    use rustix::fs::{SeekFrom, seek};
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut from = 0;
    while let Ok(data) = seek(&file, SeekFrom::Data(from)) {
        from = seek(&file, SeekFrom::Hole(data)).unwrap();
        let mut bytes = vec![0; usize::try_from(from - data).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, data).unwrap();
        let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == needle[0]);
        if starts.map(|(start, _)| &bytes[start..]).any(|rest| rest.starts_with(needle)) {
            return true;
        }
    }
    false
}

#[test]
fn a_long_value_of_one_letter_holds_up_no_build() {
    let platform = TestPlatform::start();
    let app = platform.app("monotone");
    app.write("value", &"z".repeat(64 * 1024));
    app.paasctl(&["config:set", "LONG=@value"]);
    std::fs::remove_file(app.dir.join("value")).unwrap();
    app.greets("one").deploy();
    assert_eq!(app.get("/env/LONG").body.len(), 64 * 1024);
}

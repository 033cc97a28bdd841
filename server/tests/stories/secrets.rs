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
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} holds it", entry.path().display());
        }
    }
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

//! Config values of any bytes, from the command line to all places in which an app meets them, and back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use sha2::{Digest as _, Sha256};

use crate::app::TestApp;
use crate::platform::{TestPlatform, binary};

/// Prints what came of each value: its length and SHA-256.
const TELL: &str = r#"#!/usr/bin/python3
import hashlib, os, sys
for name in sys.argv[2:]:
    value = os.environb[name.encode()]
    print(sys.argv[1], name, len(value), hashlib.sha256(value).hexdigest(), flush=True)
"#;

/// Does the same for the files in `ENV_DIR`, and prints a value as it is.
const PRE_COMPILE: &str = r#"#!/bin/bash
cd /tmp/env
for name in ALL TEXT BIG; do
    echo "build $name $(stat -c %s $name) $(sha256sum <$name | cut -d' ' -f1)"
done
echo "<$(cat ALL)>"
printf '%s\n' "[$ALL]"
"#;

fn values() -> [(&'static str, Vec<u8>); 3] {
    let all: Vec<u8> = (1..=255).collect();
    let text = "first line\nsecond \"quoted\" 'line' $HOME `id` \\n ünïcödé 🦀\r\n\n".as_bytes().to_vec();
    let big = all.iter().rev().copied().cycle().take(64 * 1024).collect();
    [("ALL", all), ("TEXT", text), ("BIG", big)]
}

/// Sets the first from an argument, the others from a file and from stdin.
fn set(app: &TestApp) {
    let [(_, all), (_, text), (_, big)] = values();
    std::fs::write(app.platform.scratch().join("text"), text).unwrap();
    let mut command = app.platform.command(&binary("paasctl"), &app.dir);
    command
        .args(["config:set", "BIG=@-", "TEXT=@../text"])
        .arg(OsStr::from_bytes(&[b"ALL=", &all[..]].concat()));
    let file = app.platform.scratch().join("big");
    std::fs::write(&file, big).unwrap();
    let ended = command.stdin(std::fs::File::open(file).unwrap()).output().unwrap();
    assert!(ended.status.success(), "{}", crate::app::text(&ended));
}

#[test]
fn any_bytes_reach_web_release_command_one_off_and_build_and_come_back() {
    let platform = TestPlatform::start();
    let app = platform.app("bytes");
    set(&app);
    app.write("bin/tell", TELL).executable("bin/tell").write("requirements.txt", "");
    app.write("bin/pre_compile", PRE_COMPILE).executable("bin/pre_compile").greets("one");
    app.write("Procfile", "web: bin/web\nrelease: bin/tell released ALL TEXT BIG\n").commit("Tell");
    let pushed = app.deploy();
    app.paasctl(&["run:detached", "bin/tell once ALL TEXT BIG"]);
    for (name, value) in values() {
        let told = format!("{name} {} {}", value.len(), hex::encode(Sha256::digest(&value)));
        assert!(pushed.contains(&format!("build {told}")), "{told}: {pushed}");
        app.wait_for_log(&format!("released {told}"));
        app.wait_for_log(&format!("once {told}"));
        assert_eq!(app.get(&format!("/hex/{name}")).body, hex::encode(&value), "{name}");
        let got = app.try_paasctl(&["config:get", name]);
        assert_eq!(got.stdout, value, "{name}");
    }
    assert_eq!(pushed.matches("[hidden: ALL]").count(), 2, "{pushed}");
    assert!(!pushed.contains("abcdefgh") && !pushed.contains("ABCDEFGH"), "{pushed}");
}

#[test]
fn what_config_shell_prints_sets_the_same_on_another_app() {
    let platform = TestPlatform::start();
    let (one, two) = (platform.app("origin"), platform.app("copy"));
    set(&one);
    let file = platform.scratch().join("vars");
    std::fs::write(&file, one.paasctl(&["config", "--shell"])).unwrap();
    two.paasctl(&["config:set", "--file", file.to_str().unwrap()]);
    assert_eq!(two.json(&["config"]), one.json(&["config"]));
    for (name, value) in values() {
        let script = format!(". \"$1\"; printf %s \"${name}\"");
        let bash =
            std::process::Command::new("bash").args(["-c", &script, "bash"]).arg(&file).output().unwrap();
        assert_eq!(bash.stdout, value, "{name}");
    }
    assert_eq!(one.json(&["config"])["TEXT"], String::from_utf8(values()[1].1.clone()).unwrap());
    assert!(one.json(&["config"])["ALL"]["base64"].is_string());
}

#[test]
fn a_path_of_the_app_replaces_the_platforms_and_a_name_that_would_be_lost_is_refused() {
    let platform = TestPlatform::start();
    let app = platform.app("paths");
    app.greets("one").write("bin/hello", "#!/bin/sh\necho hello from $0\n").executable("bin/hello");
    app.write("Procfile", "web: bin/web\n").commit("A program").deploy();
    app.paasctl(&["config:set", "PATH=/app/bin:/usr/bin", "LD_PRELOAD="]);
    assert_eq!(app.get("/env/PATH").body, "/app/bin:/usr/bin");
    app.paasctl(&["run:detached", "hello"]);
    app.wait_for_log("hello from /app/bin/hello");
    for name in ["RANDOM", "LINENO", "BASH_VERSION", "OLDPWD", "SHLVL", "IFS"] {
        let body = serde_json::json!({ name: "1" });
        let (status, answer) = platform.api("PATCH", "/apps/paths/config-vars", &platform.token, Some(body));
        let message = answer["message"].as_str().unwrap();
        assert!(status == 422 && message.contains(name) && message.contains("would not arrive"), "{answer}");
    }
}

//! Config values that are no text: taken from the command line, files and stdin, and given back byte for byte.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

fn env_with_changes() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop/config-vars", json!({}));
    env
}

fn env_with_bytes() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/config-vars", json!({"KEY": {"base64": "/wFhJw=="}, "TEXT": "two\nlines"}));
    env
}

#[test]
fn bytes_of_arguments_files_and_stdin_are_sent_as_they_are() {
    let env = env_with_changes();
    std::fs::write(env.work().join("key"), b"\xff\x00\n").unwrap();
    let mut command = env.command(&["config:set", "-a", "shop", "FILE=@key", "TEXT=ü", "IN=@-"]);
    command.arg(OsStr::from_bytes(b"ARG=\xfe=")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xfd").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let patch = env.server.requests().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    let bytes = |base64: &str| json!({ "base64": base64 });
    assert_eq!(
        patch.body,
        json!({"FILE": bytes("/wAK"), "TEXT": "ü", "IN": bytes("/Q=="), "ARG": bytes("/j0=")})
    );
}

#[test]
fn a_value_is_printed_byte_for_byte() {
    let env = env_with_bytes();
    let got = env.command(&["config:get", "KEY", "-a", "shop"]).output().unwrap();
    assert_eq!(got.stdout, b"\xff\x01a'");
    assert_eq!(env.run(&["config:get", "TEXT", "-a", "shop"]), "two\nlines");
}

#[test]
fn a_listing_shows_bytes_as_a_shell_writes_them() {
    let env = env_with_bytes();
    assert_snapshot!(env.run(&["config", "-a", "shop"]), @r"
    KEY:  $'\xff\x01a\''
    TEXT: two
          lines
    ");
    let shell = env.run(&["config", "--shell", "-a", "shop"]);
    assert_snapshot!(shell, @r"
    KEY=$'\xff\x01a\''
    TEXT='two
    lines'
    ");
    assert_snapshot!(env.run(&["config", "--json", "-a", "shop"]), @r#"
    {
      "KEY": {
        "base64": "/wFhJw=="
      },
      "TEXT": "two\nlines"
    }
    "#);
    let script = format!("{shell}printf %s \"$KEY\"");
    let told = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(told.stdout, b"\xff\x01a'");
}

#[test]
fn a_file_of_assignments_and_an_editor_keep_bytes() {
    let env = env_with_changes();
    std::fs::write(env.work().join("vars"), b"A=$'\\xff\\n' B=\xfe\n").unwrap();
    env.run(&["config:set", "--file", "vars", "-a", "shop"]);
    let patch = env.server.requests().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    assert_eq!(patch.body, json!({"A": {"base64": "/wo="}, "B": {"base64": "/g=="}}));

    let env = env_with_bytes();
    let shown =
        env.shown(&env.command(&["config:edit", "-a", "shop"]).env("EDITOR", "true").output().unwrap());
    assert_snapshot!(shown, @"
    --- stderr
    Nothing was changed.
    ");
}

#[test]
fn a_file_that_is_not_there_is_named_with_what_helps() {
    let env = env_with_changes();
    assert_snapshot!(env.run(&["config:set", "A=@/none", "-a", "shop"]), @"
    --- stderr
    Error: the file `/none` for A cannot be read: there is no such file
      Hint: Name a file that you may read. Write KEY=value, KEY=@file for the content of a file, KEY=@- for stdin, or KEY=@@text for a value that begins with @.
    --- exit Some(1)
    ");
    let relative = env.run(&["config:set", "A=@none", "-a", "shop"]);
    assert!(relative.contains("`none` for A") && relative.contains("looked for in HOME/work"), "{relative}");
    assert_eq!(env.server.asked(), [""; 0]);
}

#[test]
fn a_name_that_would_not_arrive_is_refused_to_be_set_and_can_be_removed() {
    let env = env_with_changes();
    assert_snapshot!(env.run(&["config:set", "RANDOM=1", "-a", "shop"]), @"
    --- stderr
    Error: a config var's name cannot be `RANDOM`: the shell that starts each process keeps it for itself, so that the value would not arrive
      Hint: For a value of your own use another name, such as `MY_RANDOM`.
    --- exit Some(2)
    ");
    assert_eq!(env.server.asked(), [""; 0]);
    env.server.on("GET /apps/shop/config-vars", json!({"RANDOM": "1"}));
    env.run(&["config:unset", "RANDOM", "-a", "shop"]);
    assert!(env.server.asked().contains(&r#"PATCH /apps/shop/config-vars {"RANDOM":null}"#.to_owned()));
}

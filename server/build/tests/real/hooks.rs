//! The app's own hooks, and config vars whose names mean something to the scripts of a buildpack.

use build::FailureKind;

use crate::world::App;

#[tokio::test]
async fn hooks_run_before_and_after_the_packages_are_there_and_their_output_is_shown() {
    let before = "#!/bin/sh\necho \"before in $PWD\"\necho '1.0' >made-by-hook\n";
    let after = "#!/bin/sh\ncat made-by-hook\npython -c 'import itsdangerous; print(\"after\", itsdangerous.__name__)'\n";
    let files =
        [("requirements.txt", "itsdangerous\n"), ("bin/pre_compile", before), ("bin/post_compile", after)];
    let ended = App::new().push(&files).await;
    ended.output();
    let at = |text: &str| ended.log.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{}", ended.log));
    assert!(at("-----> Running bin/pre_compile") < at("       before in /app"));
    assert!(at("       before in /app") < at("-----> Python "));
    assert!(at("-----> Python ") < at("-----> Running bin/post_compile"));
    assert!(at("-----> Running bin/post_compile") < at("       1.0"));
    assert!(at("       1.0") < at("       after itsdangerous"));
}

#[tokio::test]
async fn a_hook_that_fails_fails_the_build_by_its_name() {
    for hook in ["bin/pre_compile", "bin/post_compile"] {
        let files = [("requirements.txt", ""), (hook, "#!/bin/sh\necho 'no such thing' >&2\nexit 3\n")];
        let ended = App::new().push(&files).await;
        assert_eq!(ended.failure().reason, format!("{hook} failed"));
        assert_eq!(ended.failure().kind, FailureKind::Compile { buildpack: "python".into(), status: 1 });
        assert!(ended.log.contains("       no such thing\n"), "{}", ended.log);
        assert!(ended.log.contains(&format!(" !     {hook} failed\n")), "{}", ended.log);
    }
}

#[tokio::test]
async fn a_config_var_may_have_the_name_of_a_variable_of_the_scripts() {
    let mut app = App::new();
    let names = ["environment", "build", "cache", "home", "work", "plan", "file", "name", "value", "env_dir"];
    for name in names {
        app.set(name, &format!("/nowhere/{name}\n"));
    }
    for (name, value) in [("SECONDS", "ten"), ("PATH", "/none")] {
        app.set(name, value);
    }
    let hook = "#!/usr/bin/env -S python3 -S\nimport os\n\
                for name in sorted(os.environ): print('sees', name, os.environ[name][::-1].encode())\n";
    let files = [("requirements.txt", "itsdangerous\n"), ("bin/pre_compile", hook)];
    let ended = app.push(&files).await;
    assert_eq!(ended.output().manifest.packages.len(), 1, "{}", ended.log);
    for name in names {
        let backwards: String = format!("/nowhere/{name}").chars().rev().collect();
        let line = format!("sees {name} b'\\n{backwards}'");
        assert!(ended.log.contains(&line), "no `{line}` in\n{}", ended.log);
    }
    assert!(ended.log.contains("sees SECONDS b'net'"), "{}", ended.log);
    for kept in ["sees _config", "/none", "enon/"] {
        assert!(!ended.log.contains(kept), "`{kept}` is in\n{}", ended.log);
    }
}

#[test]
fn what_bash_keeps_for_itself_is_left_out_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kept = ["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO", "POSIXLY_CORRECT", "_"];
    for name in kept.into_iter().chain(["env_dir", "dash-ed", "LD_PRELOAD", "FINE"]) {
        std::fs::write(dir.path().join(name), "from-config").unwrap();
    }
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../../buildpacks/lib.sh");
    let script = "set -euo pipefail; env_dir=$1; . \"$2\"; with_config /usr/bin/env; config_var UID";
    let mut bash = std::process::Command::new("bash");
    let ended = bash.args(["-c", script, "test"]).arg(dir.path()).arg(library).output().unwrap();
    let (told, errors) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    let mut passed: Vec<_> = told.lines().filter(|line| line.contains("from-config")).collect();
    passed.sort_unstable();
    assert_eq!(passed, ["FINE=from-config", "env_dir=from-config", "from-config"], "{errors}");
    assert!(ended.status.success() && errors.is_empty(), "{errors}");
}

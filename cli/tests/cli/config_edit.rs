//! `config:edit`: what differs is sent, and nothing that was written in the editor is lost.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

/// Runs it with a script as the editor, whose temporary files are in the working directory.
fn edit(env: &TestEnvironment, editor: &str, more: &[&str]) -> String {
    let mut command = env.command(&["config:edit", "-a", "shop"]);
    command.args(more).env("TMPDIR", env.work()).env("EDITOR", editor);
    env.shown(&command.output().unwrap())
}

fn two_vars() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/config-vars", json!({"A": "s3cret", "B": "2"}));
    env
}

/// Returns the path and the content of the one file that was left.
fn left(env: &TestEnvironment) -> (String, String) {
    let mut files = std::fs::read_dir(env.work()).unwrap();
    let path = files.next().expect("a file was kept").unwrap().path();
    assert!(files.next().is_none());
    let content = std::fs::read_to_string(&path).unwrap();
    (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
}

fn patches(env: &TestEnvironment) -> Vec<Value> {
    let patches = env.server.requests().into_iter().filter(|asked| asked.line.starts_with("PATCH"));
    patches.map(|asked| asked.body).collect()
}

#[test]
fn a_file_that_cannot_be_taken_is_kept_and_named() {
    let env = two_vars();
    let shown = edit(&env, "sed -i 's/^B=.*/B=new\\noops/'", &[]);
    let (name, content) = left(&env);
    assert_eq!(content, "A=s3cret\nB=new\noops\n");
    assert!(
        shown.contains("a word in line 3 of HOME/work/")
            && shown.contains(&format!("kept in HOME/work/{name};")),
        "{shown}"
    );
    assert!(!shown.contains("s3cret") && shown.ends_with("--- exit Some(2)"), "{shown}");
    assert_eq!(patches(&env), [json!(null); 0]);
}

#[test]
fn what_the_server_refuses_is_kept_too() {
    let env = two_vars();
    let refusal = json!({"id": "invalid_params", "message": "the value of B is too large"});
    env.server.refuse("PATCH /apps/shop/config-vars", 422, refusal);
    let shown = edit(&env, "sed -i s/^B=.*/B=new/", &[]);
    let (name, content) = left(&env);
    assert_eq!(content, "A=s3cret\nB=new\n");
    assert!(shown.contains("too large") && shown.contains(&name) && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_emptied_file_removes_nothing_unless_that_is_said() {
    let env = two_vars();
    env.server.answer("PATCH /apps/shop/config-vars", 200, &[("Paas-Release", "42")], "{}");
    assert_snapshot!(edit(&env, ": >", &[]), @"
    --- stderr
    Error: the file is empty: that would remove all config vars of shop (A, B)
      Hint: Nothing was changed. `paasctl config:edit --yes` removes them.
    --- exit Some(2)
    ");
    assert_eq!(patches(&env), [json!(null); 0]);
    assert_snapshot!(edit(&env, ": >", &["--yes"]), @"
    --- stderr
    Changed A, B on shop: v42.
    ");
    assert_eq!(patches(&env), [json!({"A": null, "B": null})]);
    assert_eq!(std::fs::read_dir(env.work()).unwrap().count(), 0);
}

#[test]
fn an_editor_changes_only_what_differs_and_leaves_no_file() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop/config-vars", json!({"A": "two\nlines", "B": "1", "C": "it's"})).answer(
        "PATCH /apps/shop/config-vars",
        200,
        &[("Paas-Release", "42")],
        "{}",
    );
    let mut command = env.command(&["config:edit", "-a", "shop"]);
    command.env("TMPDIR", env.work()).env("EDITOR", "sed -i -e s/^B=1/B=2/ -e /^C=/d");
    assert_snapshot!(env.shown(&command.output().unwrap()), @"
    --- stderr
    Changed B, C on shop: v42.
    ");
    let patch = env.server.requests().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    assert_eq!(patch.body, json!({"B": "2", "C": null}));
    assert_snapshot!(env.shown(&command.env("EDITOR", "true").output().unwrap()), @"
    --- stderr
    Nothing was changed.
    ");
    assert_snapshot!(env.shown(&command.env("EDITOR", "false").output().unwrap()), @"
    --- stderr
    Error: the editor failed; nothing was changed
      Hint: EDITOR names the one to use.
    --- exit Some(1)
    ");
    assert_eq!(std::fs::read_dir(env.work()).unwrap().count(), 0);
}

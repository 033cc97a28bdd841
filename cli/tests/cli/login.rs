//! Logging in: where the token is kept, who may read it, and which server it goes to.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::{TOKEN, TestEnvironment};

fn paasctl(env: &TestEnvironment, arguments: &[&str]) -> std::process::Command {
    let mut command = env.bare(env!("CARGO_BIN_EXE_paasctl"));
    command.args(arguments);
    command
}

#[test]
fn a_login_is_kept_for_its_owner_only_and_used_from_then_on() {
    let env = TestEnvironment::new();
    env.server.on("GET /account", json!({"email": "ada@example.com", "scope": "admin"}));
    let login = paasctl(&env, &["login", "--url", &format!("{}/", env.server.url())]);
    assert_snapshot!(env.feed(login, &format!("{TOKEN}\n")), @"
    --- stderr
    Logged in as ada@example.com at http://SERVER
    The token is kept in HOME/.config/paasctl/config.toml
    ");
    let mode = std::fs::metadata(env.config_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_snapshot!(env.shown(&paasctl(&env, &["whoami"]).output().unwrap()), @"
    ada@example.com
    --- stderr
    at http://SERVER, scope admin
    ");
    let expected = format!("Bearer {TOKEN}");
    assert!(env.server.requests().iter().all(|asked| asked.headers["authorization"] == expected));
    assert_snapshot!(env.shown(&paasctl(&env, &["logout"]).output().unwrap()), @"
    --- stderr
    Forgot the token of http://SERVER
    It still works elsewhere; `paasctl tokens:revoke` would have ended it.
    ");
    assert!(!env.config_file().exists());
    assert_snapshot!(env.shown(&paasctl(&env, &["whoami"]).output().unwrap()), @"
    --- stderr
    Error: no server is known
      Hint: `paasctl login` asks for the server's address and a token; the first token is in the file `admin-token` of the server's data directory.
    --- exit Some(1)
    ");
}

#[test]
fn a_token_that_the_server_refuses_is_not_kept() {
    let env = TestEnvironment::new();
    env.server.refuse("GET /account", 401, json!({"id": "unauthorized", "message": "the token is wrong"}));
    let file = env.work().join("admin-token");
    std::fs::write(&file, TOKEN).unwrap();
    let login = ["login", "--url", &env.server.url(), "--token-file", file.to_str().unwrap()];
    assert_snapshot!(env.shown(&paasctl(&env, &login).output().unwrap()), @"
    --- stderr
    Error: the token is wrong
      Hint: `paasctl login` stores another token; `paasctl doctor` shows which server is used.
    --- exit Some(1)
    ");
    assert!(!env.config_file().exists());
}

#[test]
fn a_kept_token_never_goes_to_another_server() {
    let env = TestEnvironment::new();
    let other = TestEnvironment::new();
    env.server.on("GET /account", json!({"email": "ada@example.com"}));
    env.feed(paasctl(&env, &["login", "--url", &env.server.url()]), TOKEN);
    other.server.refuse("GET /apps", 401, json!({"id": "unauthorized", "message": "no token was sent"}));
    paasctl(&env, &["apps", "--url", &other.server.url()]).output().unwrap();
    assert!(!other.server.requests()[0].headers.contains_key("authorization"));
}

#[test]
fn an_address_that_is_none_is_wrong_usage() {
    let env = TestEnvironment::new();
    assert_snapshot!(env.feed(paasctl(&env, &["login", "--url", "localhost:5000"]), TOKEN), @"
    --- stderr
    Error: the server's address cannot be read
      Hint: An address looks like `http://127.0.0.1:5000` or `https://paas.example.com`.
    --- exit Some(2)
    ");
}

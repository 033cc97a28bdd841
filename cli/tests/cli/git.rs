//! The git remote `paas`: added, renamed and read, and the token given to git for our server only.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::{TOKEN, TestEnvironment};

fn repository() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.git(&["init", "-q", "-b", "main"]);
    env.server.on("POST /apps", json!({"name": "shop", "web_url": "http://shop.localhost:8080"}));
    env
}

#[test]
fn creating_an_app_adds_the_remote_and_no_token() {
    let env = repository();
    assert_snapshot!(env.run(&["create", "shop"]), @"
    http://shop.localhost:8080
    --- stderr
    Created shop.
    Added the git remote `paas`: http://SERVER/shop.git
    Next: `git push paas main` deploys what is committed.
    ");
    assert_snapshot!(env.git(&["config", "--get-regexp", "remote.paas.url"]), @"remote.paas.url http://SERVER/shop.git");
    let config = std::fs::read_to_string(env.work().join(".git/config")).unwrap();
    assert!(!config.contains(TOKEN), "{config}");
}

#[test]
fn git_gets_the_token_for_our_server_and_for_no_other() {
    let env = repository();
    env.run(&["create", "shop"]);
    let ask = |url: &str| {
        let mut git = env.bare("git");
        git.env("PAASCTL_URL", env.server.url()).env("PAASCTL_TOKEN", TOKEN).args(["credential", "fill"]);
        let mut child =
            git.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("url={url}\n\n").as_bytes())
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let answer = ask(&format!("{}/shop.git", env.server.url()));
    assert!(answer.contains(&format!("username=paas\npassword={TOKEN}\n")), "{answer}");
    assert!(!ask("http://example.invalid/shop.git").contains(TOKEN));
}

#[test]
fn a_remote_of_another_app_is_left_alone() {
    let env = repository();
    env.git(&["remote", "add", "paas", "http://elsewhere/blog.git"]);
    assert_snapshot!(env.run(&["create", "shop"]), @"
    http://shop.localhost:8080
    --- stderr
    Created shop.
    The git remote `paas` leads to http://elsewhere/blog.git and was left alone;
      `git remote set-url paas http://SERVER/shop.git` makes it lead to shop.
    Next: `git push paas main` deploys what is committed.
    ");
}

#[test]
fn the_remote_names_the_app_and_the_environment_and_option_go_before_it() {
    let env = repository();
    env.run(&["create", "shop"]);
    for app in ["shop", "blog", "news"] {
        env.server.on(&format!("GET /apps/{app}/config-vars"), json!({"APP": app}));
    }
    assert_snapshot!(env.run(&["config"]), @"APP: shop");
    let mut command = env.command(&["config"]);
    command.env("PAASCTL_APP", "blog");
    assert_snapshot!(env.shown(&command.output().unwrap()), @"APP: blog");
    assert_snapshot!(env.shown(&command.args(["-a", "news"]).output().unwrap()), @"APP: news");
}

#[test]
fn a_remote_of_another_server_than_the_one_that_is_logged_in_to_names_no_app() {
    let env = repository();
    env.git(&["remote", "add", "paas", "http://staging.example.org/shop.git"]);
    env.server.on("GET /account", json!({"email": "ann@example.org"}));
    env.server.on("GET /apps/shop/config-vars", json!({"APP": "shop"}));
    let login = |arguments: &[&str]| {
        let mut command = env.bare(env!("CARGO_BIN_EXE_paasctl"));
        env.shown(&command.args(arguments).output().unwrap())
    };
    let _ = login(&["login", "--url", &env.server.url(), "--token", TOKEN]);
    assert_snapshot!(login(&["config"]), @"
    --- stderr
    Error: the remote `paas` leads to http://staging.example.org, and you are logged in to http://SERVER
      Hint: `paasctl login --url http://staging.example.org` logs in there; `-a shop` means the app shop of http://SERVER.
    --- exit Some(2)
    ");
    assert_snapshot!(login(&["config", "-a", "shop"]), @"APP: shop");
    assert_snapshot!(env.run(&["config"]), @"APP: shop");
}

#[test]
fn a_renamed_app_takes_its_remote_along() {
    let env = repository();
    env.run(&["create", "shop"]);
    env.server.on("PATCH /apps/shop", json!({"name": "store", "web_url": "http://store.localhost:8080"}));
    assert_snapshot!(env.run(&["apps:rename", "store"]), @"
    --- stderr
    Renamed shop to store: http://store.localhost:8080
    The git remote `paas` leads to the new name now.
    ");
    assert_snapshot!(env.git(&["config", "--get", "remote.paas.url"]), @"http://SERVER/store.git");
}

#[test]
fn a_remote_is_added_for_an_app_that_exists_and_not_for_one_that_does_not() {
    let env = repository();
    env.server.on("GET /apps/shop", json!({"name": "shop"}));
    assert_snapshot!(env.run(&["git:remote", "-a", "shop"]), @"
    --- stderr
    Added the git remote `paas`: http://SERVER/shop.git
    Next: `git push paas main` deploys what is committed.
    ");
    env.git(&["remote", "remove", "paas"]);
    assert!(env.run(&["git:remote", "-a", "blog"]).contains("--- exit Some(1)"));
}

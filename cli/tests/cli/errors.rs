//! What goes wrong, in words: wrong usage, servers that are not there, refusals, a reader that goes away.

use insta::assert_snapshot;
use serde_json::json;

use crate::address;
use crate::environment::TestEnvironment;

#[test]
fn a_misspelt_command_or_app_is_told_with_what_was_meant() {
    let env = TestEnvironment::new();
    env.server
        .refuse(
            "GET /apps/shpo",
            404,
            json!({"id": "not_found", "message": "Couldn't find that app.", "resource": "app"}),
        )
        .on("GET /apps", json!([{"name": "blog"}, {"name": "shop"}]));
    assert_snapshot!(env.run(&["ps:sacle", "web=1"]), @"
    --- stderr
    Error: there is no command `ps:sacle`
      Hint: Did you mean `ps:scale`? `paasctl --help` lists all commands.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["info", "-a", "shpo"]), @"
    --- stderr
    Error: no app `shpo`
      Hint: Did you mean `shop`? `paasctl apps` lists all of them.
    --- exit Some(1)
    ");
}

#[test]
fn wrong_usage_exits_with_2() {
    let env = TestEnvironment::new();
    assert_snapshot!(env.run(&["scale", "web=many", "-a", "shop"]), @"
    --- stderr
    Error: invalid value 'web=many' for '[TYPE=QUANTITY]...': a quantity is a number such as 4, +1 or -1, not `many`
      Hint: `paasctl scale --help` shows an example.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["releases", "--frob"]), @"
    --- stderr
    Error: unexpected argument '--frob' found
      Hint: `paasctl releases --help` shows an example.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["ps"]), @"
    --- stderr
    Error: no app is named
      Hint: Name it with `-a APP` or PAASCTL_APP, or run this in a git repository that has the remote `paas`; `paasctl apps` lists all apps.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["ps", "-a", "Shop"]), @"
    --- stderr
    Error: invalid value 'Shop' for '--app <APP>': an app name starts with a lower-case letter, goes on with lower-case letters, digits and dashes, and does not end with a dash, `Shop` does not fit
      Hint: `paasctl ps --help` shows an example.
    --- exit Some(2)
    ");
}

#[test]
fn a_server_that_is_not_there_and_one_that_is_none() {
    let env = TestEnvironment::new();
    let nobody = format!("http://{}", address::reserve());
    let shown = env.run(&["apps", "--url", &nobody]).replace(&nobody, "http://NOBODY");
    assert_snapshot!(shown, @"
    --- stderr
    Error: cannot reach http://NOBODY: nothing listens there
      Hint: Is `paasd serve` running? `paasctl doctor` checks the way to it.
    --- exit Some(1)
    ");
    env.server.answer("GET /apps", 200, &[], "<html>");
    assert_snapshot!(env.run(&["apps"]), @"
    --- stderr
    Error: http://SERVER answered something else than JSON
      Hint: Is it the address of the platform's API? `paasctl doctor` checks it.
    --- exit Some(1)
    ");
}

#[test]
fn the_servers_words_and_hints_are_shown_without_control_characters() {
    let env = TestEnvironment::new();
    let body = json!({"id": "invalid_params", "message": "no \u{1b}[2Jroom.", "hint": "free some space"});
    env.server.refuse("POST /apps", 422, body);
    assert_snapshot!(env.run(&["create", "shop"]), @"
    --- stderr
    Error: no [2Jroom
      Hint: free some space
    --- exit Some(1)
    ");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let env = TestEnvironment::new();
    let text = "a line of a log\n".repeat(50_000);
    env.server
        .on("GET /apps/shop/builds", json!([{"id": "b1", "created_at": "2026-01-05T11:59:55Z"}]))
        .answer("GET /apps/shop/builds/b1/output?follow=1", 200, &[], &text);
    let mut command = env.command(&["builds:output", "-a", "shop"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_snapshot!(env.shown(&child.wait_with_output().unwrap()), @"");
}

//! Tokens, users, access and activity: a secret is shown once and never again.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

#[test]
fn a_new_token_is_shown_once_alone_on_stdout() {
    let env = TestEnvironment::new();
    let made = json!({
        "id": "0190a1b2-c3d4-7000", "scope": ["read"], "expires_at": "2026-02-04T12:00:00Z",
        "access_token": {"token": "fresh-token", "expires_in": 2_592_000},
    });
    env.server.on("POST /oauth/authorizations", made);
    let arguments = ["tokens:create", "--scope", "read", "--expires", "30d", "--description", "monitoring"];
    assert_snapshot!(env.run(&arguments), @"
    fresh-token
    --- stderr
    Created a token for monitoring: read, ends in 30 days. It is shown only now.
    ");
    let body = json!({"scope": ["read"], "expires_in": 2_592_000, "description": "monitoring"});
    assert_eq!(env.server.requests()[0].body, body);
}

#[test]
fn tokens_are_listed_and_revoked_by_id_and_never_repeated() {
    let env = TestEnvironment::new();
    let list = json!([
        {"id": "0190a1b2-c3d4-7000", "description": "laptop", "scope": ["admin"], "created_at": "2026-01-02T12:00:00Z",
         "access_token": {"token": null, "expires_in": null}},
        {"id": "0190a1b2-ffff-7000", "description": "monitoring", "scope": ["read"], "created_at": "2026-01-05T10:00:00Z",
         "expires_at": "2026-02-04T12:00:00Z"},
    ]);
    env.server
        .on("GET /oauth/authorizations", list)
        .on("DELETE /oauth/authorizations/0190a1b2-ffff-7000", json!({}));
    assert_snapshot!(env.run(&["tokens"]), @"
    TOKEN          FOR         SCOPE  MADE        ENDS
    0190a1b2-c3d4  laptop      admin  3 days ago  never
    0190a1b2-ffff  monitoring  read   2 h ago     in 30 days
    ");
    assert_snapshot!(env.run(&["tokens:revoke", "0190a1b2-ffff"]), @"
    --- stderr
    Revoked token 0190a1b2-ffff
    ");
    let pasted = env.run(&["tokens:revoke", "a-pasted-secret"]);
    assert!(!pasted.contains("pasted-secret"), "{pasted}");
}

#[test]
fn a_token_that_may_less_than_its_user_is_told_apart() {
    let env = TestEnvironment::new();
    let account =
        json!({"email": "ada@example.com", "scope": "read", "role": "admin", "token": {"name": "ci"}});
    env.server.on("GET /account", account);
    assert_snapshot!(env.run(&["whoami"]), @"
    ada@example.com
    --- stderr
    at http://SERVER, token `ci`, scope read (ada@example.com may have admin)
    ");
}

#[test]
fn users_access_and_activity() {
    let env = TestEnvironment::new();
    let row = json!({
        "id": "a", "at": "2026-01-05T11:55:00.123Z", "actor": {"id": "u", "email": "ada@example.com"}, "token": null,
        "action": "config.change", "app": {"id": "x", "name": "shop"}, "detail": {"set": ["GREETING"], "release": 42},
    });
    env.server
        .on("POST /users", json!({"id": "u", "email": "bob@example.com", "scope": "write"}))
        .on("GET /users", json!([{"email": "ada@example.com", "scope": "admin"}, {"email": "eve@example.com", "disabled": true}]))
        .on("POST /apps/shop/collaborators", json!({}))
        .on("DELETE /apps/shop/collaborators/bob%40example.com", json!({}))
        .on("GET /activity?max=30", json!([row]))
        .on("GET /apps/shop/activity?max=30", json!([]));
    assert_snapshot!(env.run(&["users:create", "bob@example.com"]), @"
    --- stderr
    Created bob@example.com
    Next: `paasctl tokens:create --user bob@example.com` makes the first token.
    ");
    assert_snapshot!(env.run(&["users"]), @"
    USER             SCOPE       SINCE
    ada@example.com  admin
    eve@example.com  (disabled)
    ");
    assert_snapshot!(env.run(&["access:add", "bob@example.com", "--scope", "read", "-a", "shop"]), @"
    --- stderr
    bob@example.com may look at shop now.
    ");
    assert_snapshot!(env.run(&["access:remove", "bob@example.com", "-a", "shop"]), @"
    --- stderr
    bob@example.com may no longer work with shop.
    ");
    assert_snapshot!(env.run(&["activity"]), @"
    WHEN       WHO              WHAT           APP   DETAIL
    4 min ago  ada@example.com  config.change  shop  release=42 set=GREETING
    ");
    assert_snapshot!(env.run(&["activity", "-a", "shop"]), @"
    --- stderr
    Nothing was changed yet.
    ");
}

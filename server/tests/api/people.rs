//! Users and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::access::Scope;
use serde_json::json;

use crate::server::Server;

#[test]
fn bearer_and_basic_both_sign_in_and_every_field_is_there() {
    let server = Server::start();
    for user in ["", "heroku", "x"] {
        let basic = STANDARD.encode(format!("{user}:{}", server.admin));
        let account =
            server.bare("GET", "/account").header("authorization", &format!("Basic {basic}")).expect(200);
        assert_eq!(account["email"], "admin@localhost");
        for flag in ["allow_tracking", "beta", "federated", "verified", "two_factor_authentication"] {
            assert!(account[flag].is_boolean(), "{flag}");
        }
    }
    assert_eq!(server.get("/users/~"), server.get("/account"));
    assert!(server.get("/account/rate-limits")["remaining"].is_u64());
    let none = server.bare("GET", "/account").send();
    assert_eq!((none.status, none.json()["id"].as_str()), (401, Some("unauthorized")));
}

#[test]
fn a_token_makes_lesser_tokens_and_never_greater_ones() {
    let server = Server::start();
    let (_, write) = server.user("ann@example.org", Scope::Write);
    let make = |token: &str, scope: &str| {
        let body = json!({ "description": "ci", "scope": [scope], "expires_in": 3600 });
        server.bare("POST", "/oauth/authorizations").token(token).body(body).send()
    };
    let made = make(&write, "read").expect(201);
    let read = made["access_token"]["token"].as_str().unwrap().to_owned();
    assert_eq!(made["user"]["email"], "ann@example.org");
    assert!(made["access_token"]["expires_in"].as_i64().unwrap() > 3500);
    let account = server.bare("GET", "/account").token(&read).expect(200);
    assert_eq!((&account["scope"], &account["role"]), (&json!("read"), &json!("write")));
    assert_eq!(account["token"], json!({ "id": made["id"], "name": "ci" }));
    assert_eq!(make(&write, "admin").status, 403);
    assert_eq!(make(&read, "write").status, 403);
    assert_eq!(make(&write, "nonsense").status, 422);
    // An unbounded wish gets what the token has.
    let same = server.bare("POST", "/oauth/authorizations").token(&read).expect(201);
    assert_eq!(same["scope"], json!(["read"]));
    let left = same["access_token"]["expires_in"].as_i64().expect("it ends with the one that made it");
    assert!((3500..=3600).contains(&left), "{left}");
    let longer = json!({ "description": "ci", "expires_in": 7200 });
    assert_eq!(server.bare("POST", "/oauth/authorizations").token(&read).body(longer).send().status, 403);
    let list = server.bare("GET", "/oauth/authorizations").token(&write).send();
    assert!(!list.text.contains("paas_"), "secrets are shown once");
    let id = made["id"].as_str().unwrap();
    server.bare("DELETE", &format!("/oauth/authorizations/{id}")).token(&write).expect(200);
    server.bare("GET", "/account").token(&read).expect(401);
    let missing = server.ask("DELETE", "/oauth/sessions/~").expect(404);
    assert_eq!(missing["resource"], "session");
    assert_eq!(server.ask("GET", "/oauth/authorizations/~").expect(404)["resource"], "authorization");
}

#[test]
fn administrators_add_users_give_them_a_token_and_disable_them() {
    let server = Server::start();
    let made = server.ask("POST", "/users").body(json!({ "email": "Ann@Example.org" })).expect(201);
    assert_eq!((&made["email"], &made["scope"]), (&json!("ann@example.org"), &json!("write")));
    server.ask("POST", "/users").body(json!({ "email": "ann@example.org" })).expect(422);
    server.ask("POST", "/users").body(json!({ "email": "ann" })).expect(422);
    let body = json!({ "user": "ann@example.org", "description": "first" });
    let token = server.ask("POST", "/oauth/authorizations").body(&body).expect(201);
    let token = token["access_token"]["token"].as_str().unwrap();
    // The administrator's scope is not handed on.
    server.bare("GET", "/users").token(token).expect(403);
    server.bare("POST", "/oauth/authorizations").token(token).body(&body).expect(403);
    server.ask("DELETE", "/users/ann@example.org").expect(200);
    server.bare("GET", "/account").token(token).expect(401);
    server.ask("DELETE", "/users/admin@localhost").expect(422);
}

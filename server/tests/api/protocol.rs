//! What holds for every route: errors in JSON, odd requests, caching, sizes.

use serde_json::json;

use crate::server::Server;

#[test]
fn unknown_addresses_and_methods_are_answered_in_json() {
    let server = Server::start();
    for (method, path, status, id) in [
        ("GET", "/nothing/here", 404, "not_found"),
        ("POST", "/nope", 404, "not_found"),
        ("DELETE", "/apps", 405, "method_not_allowed"),
        ("GET", "/apps/none", 404, "not_found"),
        ("GET", "/apps/%FF", 400, "bad_request"),
    ] {
        let reply = server.ask(method, path).send();
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (status, Some("application/json")),
            "{path}"
        );
        assert_eq!(reply.json()["id"], id, "{path}");
        assert!(reply.header("request-id").is_some() && reply.header("ratelimit-remaining").is_some());
    }
}

#[test]
fn odd_but_legal_requests_are_understood() {
    let server = Server::start();
    let long = vec!["01234567-0123-0123-0123-0123456789ab"; 150].join(",");
    let reply = server
        .ask("POST", "/apps")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/vnd.heroku+json; version=3.cedar-acm")
        .header("request-id", &long)
        .header("range", "domain ..; ;")
        .body(" ")
        .send();
    assert_eq!(reply.status, 201);
    assert!(reply.header("request-id").unwrap().len() < 100, "ids of the client are not echoed");
    server.ask("GET", "/apps").header("content-type", "application/json").header("range", "").expect(200);
    let name = reply.json()["name"].as_str().unwrap().to_owned();
    server.ask("GET", &format!("/apps/%{:x}{}", name.as_bytes()[0], &name[1..])).expect(200);
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let first = server.ask("GET", "/apps/shop").send();
    let tag = first.header("etag").unwrap().to_owned();
    let again = server.ask("GET", "/apps/shop").header("if-none-match", &tag).send();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    server.ask("PATCH", "/apps/shop").body(json!({ "maintenance": true })).expect(200);
    server.ask("GET", "/apps/shop").header("if-none-match", &tag).expect(200);
}

#[test]
fn a_body_that_is_too_large_or_no_json_is_refused() {
    let server = Server::start();
    server.ask("POST", "/apps").body("{\"name\":").expect(400);
    server.ask("POST", "/apps").body("[]").expect(400);
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(9_000_000));
    assert_eq!(server.ask("POST", "/apps").body(large).expect(413)["id"], "too_large");
}

#[test]
fn apps_come_in_pieces_that_can_be_followed() {
    let server = Server::start();
    let mut expected: Vec<String> = (0..7).map(|n| format!("app-{n}")).collect();
    for name in &expected {
        server.ask("POST", "/apps").body(json!({ "name": name })).expect(201);
    }
    let (mut range, mut found) = ("name ..; max=3".to_owned(), Vec::new());
    loop {
        let reply = server.ask("GET", "/apps").header("range", &range).send();
        assert_eq!(reply.header("accept-ranges"), Some("name, id"));
        let apps = reply.json();
        found.extend(apps.as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_owned()));
        let Some(next) = reply.header("next-range") else { break };
        assert_eq!(reply.status, 206);
        range = next.to_owned();
    }
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn health_needs_no_token() {
    let server = Server::start();
    assert_eq!(server.bare("GET", "/health").expect(200)["status"], "ok");
    assert_eq!(server.bare("GET", "/api/v4/current-status").expect(200)["incidents"], json!([]));
}

//! Every route of the table: who gets in, who does not, and what the audit trail would say.

use std::collections::BTreeSet;

use axum::http::Method;
use model::access::Scope;
use paasd::api::{Needs, routes};

use crate::server::Server;

/// Routes that are no GET and change nothing that needs a row in the audit trail.
const CHANGE_NOTHING: [(&str, &str); 6] = [
    ("POST", "/sources"),
    ("POST", "/apps/{app}/sources"),
    ("POST", "/apps/{app}/log-sessions"),
    ("POST", "/fleet/quote"),
    ("POST", "/apps/{app}/cost/quote"),
    // Its permission is the address; the build that follows has a row.
    ("PUT", "/streams/source/{capability}"),
];

fn concrete(path: &str) -> String {
    let fill = |part: &str| match part {
        "{app}" => "shop".to_owned(),
        part if part.starts_with('{') => "nothing".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_that_changes_something_has_a_name_in_the_audit_trail() {
    for route in routes() {
        let exempt = CHANGE_NOTHING.contains(&(route.method.as_str(), route.path));
        let reads = route.method == Method::GET;
        assert_eq!(route.action.is_none(), reads || exempt, "{} {}", route.method, route.path);
        if route.action.is_some() {
            assert!(
                route.needs != Needs::Nobody,
                "{} {}: nobody would have done it",
                route.method,
                route.path
            );
            let account = ["/oauth/", "/users"].iter().any(|start| route.path.starts_with(start));
            assert!(
                route.needs >= Needs::Write || account,
                "{} {}: reading is not enough",
                route.method,
                route.path
            );
        }
    }
}

#[test]
fn only_these_routes_need_nobody() {
    let open: BTreeSet<_> = routes().iter().filter(|r| r.needs == Needs::Nobody).map(|r| r.path).collect();
    let expected = BTreeSet::from([
        "/health",
        "/api/v4/current-status",
        "/streams/logs/{capability}",
        "/streams/build-output/{capability}",
        "/streams/release-output/{capability}",
        "/streams/source/{capability}",
    ]);
    assert_eq!(open, expected);
}

#[test]
fn every_route_turns_away_who_may_not_use_it() {
    let server = Server::start();
    server.ask("POST", "/apps").body(r#"{"name":"shop"}"#).expect(201);
    let app = server.app("shop");
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    let (reader, reading) = server.user("reader@example.org", Scope::Write);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    for route in routes().iter().filter(|route| route.needs != Needs::Nobody) {
        let (method, path) = (route.method.as_str(), concrete(route.path));
        let what = format!("{method} {path}");
        assert_eq!(server.bare(method, &path).send().status, 401, "without a token: {what}");
        assert_eq!(server.bare(method, &path).token("paas_wrong").send().status, 401, "wrong token: {what}");
        let names_app = route.path.contains("{app}");
        if names_app {
            let reply = server.bare(method, &path).token(&stranger).send();
            assert_eq!(
                (reply.status, reply.json()["resource"].as_str()),
                (404, Some("app")),
                "stranger: {what}"
            );
        } else if route.needs == Needs::Admin {
            assert_eq!(server.bare(method, &path).token(&stranger).send().status, 403, "no admin: {what}");
        }
        if names_app && route.needs > Needs::Read {
            assert_eq!(
                server.bare(method, &path).token(&reading).send().status,
                403,
                "invited to read: {what}"
            );
        }
    }
    assert!(server.get("/activity").as_array().unwrap().len() == 1, "only the app was made");
}

#[test]
fn a_token_that_may_only_read_changes_nothing_and_sees_no_config_values() {
    let server = Server::start();
    let (_, write) = server.user("ann@example.org", Scope::Write);
    let (_, read) = server.user("ann@example.org", Scope::Read);
    server.bare("POST", "/apps").token(&write).body(r#"{"name":"shop"}"#).expect(201);
    for route in routes().iter().filter(|route| route.needs != Needs::Nobody) {
        let (method, path) = (route.method.as_str(), concrete(route.path));
        let reply = server.bare(method, &path).token(&read).send();
        let refused = route.needs > Needs::Read || path.ends_with("config-vars");
        assert_eq!(reply.status == 403, refused, "{method} {path}: {} {}", reply.status, reply.text);
    }
}

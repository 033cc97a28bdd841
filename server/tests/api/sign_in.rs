//! Who is let in, over the API and over git, and what failing to sign in leads to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::access::Scope;
use paasd::attempts::{Attempts, Budget};
use serde_json::json;

use crate::server::Server;

const FEW: Budget = Budget { failures: 3, forgiven_after: Duration::from_secs(3_600) };
const MANY: Budget = Budget { failures: 100_000, forgiven_after: Duration::from_millis(1) };

fn basic(name: &str, token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{token}")))
}

#[test]
fn who_fails_to_sign_in_too_often_waits_and_who_has_a_token_does_not() {
    let server = Server::start_with(Attempts::new(FEW, MANY));
    for _ in 0..3 {
        assert_eq!(server.bare("GET", "/apps").token("paas_wrong").send().status, 401);
    }
    for path in ["/apps", "/shop.git/info/refs?service=git-receive-pack"] {
        let reply = server.bare("GET", path).header("authorization", &basic("x", "paas_wrong")).send();
        assert_eq!(reply.status, 429, "{path}: {}", reply.text);
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3_601).contains(&wait), "{wait}");
        assert!(!reply.text.contains("paas_wrong"), "{}", reply.text);
    }
    assert_eq!(server.bare("GET", "/apps").send().status, 401, "none is not a wrong one");
    server.get("/apps");
}

#[test]
fn wrong_tokens_in_the_name_of_an_account_do_not_lock_its_owner_out() {
    let server = Server::start_with(Attempts::new(MANY, FEW));
    let (_, ann) = server.user("ann@example.org", Scope::Write);
    let ask = |name: &str, token: &str| {
        server.bare("GET", "/account").header("authorization", &basic(name, token)).send().status
    };
    let wrong: Vec<u16> = (0..4).map(|_| ask("ann@example.org", "paas_wrong")).collect();
    assert_eq!(wrong, [401; 4], "a token cannot be guessed: this counts for the client only");
    assert_eq!(ask("ann@example.org", &ann), 200);
}

#[test]
fn every_address_of_git_turns_away_who_may_not_use_it() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    let (reader, reads) = server.user("reader@example.org", Scope::Write);
    let (_, bounded) = server.user("admin@localhost", Scope::Read);
    let app = server.app("shop");
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    let addresses = [
        ("GET", "/shop.git/info/refs?service=git-upload-pack", false),
        ("GET", "/shop.git/info/refs?service=git-receive-pack", true),
        ("POST", "/shop.git/git-upload-pack", false),
        ("POST", "/shop.git/git-receive-pack", true),
    ];
    for (method, path, pushes) in addresses {
        let ask = |token: &str| server.bare(method, path).token(token).send();
        assert_eq!(server.bare(method, path).send().status, 401, "without a token: {method} {path}");
        assert_eq!(ask("paas_wrong").status, 401, "wrong token: {method} {path}");
        assert_eq!(ask(&stranger).status, 403, "stranger: {method} {path}");
        for token in [&reads, &bounded] {
            assert_eq!(ask(token).status == 403, pushes, "may only look: {method} {path}");
        }
        let elsewhere = path.replace("shop", "nothing");
        assert_eq!(server.ask(method, &elsewhere).send().status, 404, "{method} {elsewhere}");
    }
    let dumb = server.ask("GET", "/shop.git/info/refs").send();
    assert_eq!(dumb.status, 403, "{}", dumb.text);
}

#[test]
fn a_body_larger_than_its_route_takes_is_refused_and_config_may_be_large() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let large = json!({ "A": "x".repeat(30_000), "B": "\u{1}".repeat(60_000) });
    server.ask("PATCH", "/apps/shop/config-vars").body(&large).expect(200);
    let too_large = json!({ "maintenance": true, "x": "x".repeat(300_000) });
    let reply = server.ask("PATCH", "/apps/shop").body(&too_large).send();
    assert_eq!((reply.status, &reply.json()["id"]), (413, &json!("too_large")));
}

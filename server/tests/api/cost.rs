//! What apps and the platform cost, and the caps on it.

use jiff::{SignedDuration, Timestamp};
use model::cost::Ground;
use model::id::BuildId;
use model::name::ProcessType;
use model::pins::Pins;
use model::slug::SlugManifest;
use paasd::actor::Actor;
use paasd::deploy::{BuiltSlug, release_slug};
use serde_json::{Value, json};
use store::NewBuild;

use crate::server::Server;

fn shop(server: &Server, name: &str) {
    server.ask("POST", "/apps").body(json!({ "name": name })).expect(201);
    server.deploy(&server.app(name), "a");
}

fn scale(quantity: u32) -> Value {
    json!({ "updates": [{ "type": "web", "quantity": quantity }] })
}

fn cap(server: &Server, app: Option<&str>, per_month: Value) -> Value {
    server.ask("PATCH", "/cost").body(json!({ "app": app, "per_month": per_month })).expect(200)
}

fn quantity(server: &Server, app: &str) -> u64 {
    let formation = server.get(&format!("/apps/{app}/formation"));
    let web = formation.as_array().unwrap().iter().find(|entry| entry["type"] == "web").unwrap();
    web["quantity"].as_u64().unwrap()
}

#[test]
fn an_app_costs_its_share_of_hosts_and_the_platform_what_it_stands_on() {
    let server = Server::start_on_fleet();
    shop(&server, "shop");
    let cost = server.get("/cost");
    assert_eq!((&cost["per_month"], &cost["committed_per_month"]), (&json!(27.375), &json!(93.793)));
    assert_eq!(cost["lines"][0]["what"], "load balancer");
    assert_eq!(cost["apps"], json!([{ "name": "shop", "per_month": 4.463_954, "cap_per_month": null }]));
    let own = server.get("/apps/shop/cost");
    assert_eq!((&own["host_type"], &own["per_month"]), (&json!("m7g.large"), &json!(4.463_954)));
    let quote = server.ask("POST", "/apps/shop/cost/quote").body(scale(4)).expect(200);
    assert_eq!(quote["says"], "Adds $13.39 a month: the share of shop goes from $4.46 to $17.86.");
    assert_eq!(quantity(&server, "shop"), 1, "a quote changes nothing");
}

#[test]
fn the_load_balancers_and_nat_gateways_that_are_there_are_paid_for_and_held_against_the_cap() {
    let server = Server::start_on_fleet();
    shop(&server, "shop");
    let ground = Ground { nats: 3, host_addresses: false, ..Ground::usual(3) }.with_balancers(2, 3);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        cloud::set_ground(&mut tx, &ground).await.unwrap();
        tx.commit().await.unwrap();
    });
    let cost = server.get("/cost");
    let lines = cost["lines"].as_array().unwrap().iter();
    let lines: Vec<Value> = lines.map(|line| json!([line["count"], line["what"]])).collect();
    let expected = json!([
        [2, "load balancer"],
        [6, "public address of the load balancer"],
        [3, "NAT gateway"],
        [3, "public address of a NAT gateway"],
    ]);
    assert_eq!(Value::from(lines), expected);
    // One host without an address costs $62.77.
    assert_eq!((&cost["per_month"], &cost["committed_per_month"]), (&json!(164.25), &json!(227.018)));
    cap(&server, None, json!(230));
    let ask = |quantity| server.ask("PATCH", "/apps/shop/formation").body(scale(quantity));
    ask(14).expect(200);
    let refused = ask(15).expect(409);
    assert_eq!(refused["message"], "the platform would cost $289.79 a month, and its cap is $230.00");
}

#[test]
fn a_cap_refuses_what_would_go_beyond_it_and_never_what_is_less() {
    let server = Server::start_on_fleet();
    shop(&server, "shop");
    let ask = |quantity| server.ask("PATCH", "/apps/shop/formation").body(scale(quantity));
    assert_eq!(
        cap(&server, Some("shop"), json!(15)),
        json!({ "app": "shop", "cap_per_month": 15.0, "per_month": 4.463_954 })
    );
    ask(3).expect(200);
    let refused = ask(4).expect(409);
    assert_eq!(refused["id"], "cost_cap");
    assert_eq!(refused["message"], "shop would cost $17.86 a month, and its cap is $15.00");
    assert!(refused["hint"].as_str().unwrap().contains("`paasctl cost:cap shop 18`"), "{refused}");
    let larger = json!({ "updates": [{ "type": "web", "size": "Performance-M" }] });
    server.ask("PATCH", "/apps/shop/formation").body(larger).expect(409);
    // What is too dear already becomes smaller whatever the cap is.
    cap(&server, Some("shop"), json!("$1"));
    ask(2).expect(200);
    ask(3).expect(409);
    cap(&server, Some("shop"), Value::Null);
    ask(4).expect(200);
}

#[test]
fn the_platforms_cap_holds_all_apps_and_the_fleet_together() {
    let server = Server::start_on_fleet();
    shop(&server, "shop");
    shop(&server, "blog");
    cap(&server, None, json!(100));
    // One host has room for fourteen.
    server.ask("PATCH", "/apps/shop/formation").body(scale(13)).expect(200);
    let refused = server.ask("PATCH", "/apps/blog/formation").body(scale(2)).expect(409);
    assert_eq!(refused["message"], "the platform would cost $160.21 a month, and its cap is $100.00");
    server.ask("PATCH", "/fleet").body(json!({ "zone": "us-east-1a", "min": 1 })).expect(200);
    server.ask("PATCH", "/fleet").body(json!({ "min": 1 })).expect(409);
    server.ask("PATCH", "/fleet").body(json!({ "types": ["m7g.xlarge"] })).expect(409);
    server.ask("PATCH", "/fleet").body(json!({ "schedule": { "when": "daily 8-20", "min": 1 } })).expect(409);
    server.ask("PATCH", "/fleet").body(json!({ "max": 9 })).expect(200);
}

#[test]
fn of_many_commands_at_once_no_more_are_taken_than_the_cap_allows() {
    let server = Server::start_on_fleet();
    let apps: Vec<String> = (0..8).map(|number| format!("app-{number}")).collect();
    apps.iter().for_each(|app| shop(&server, app));
    // Two hosts: twenty-eight replicas.
    cap(&server, None, json!(161));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..32)
            .map(|at| {
                let (server, app) = (&server, &apps[at % apps.len()]);
                let more = json!({ "updates": [{ "type": "web", "quantity": "+1" }] });
                scope.spawn(move || {
                    server.ask("PATCH", &format!("/apps/{app}/formation")).body(more).send().status
                })
            })
            .collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 32 - taken, "{statuses:?}");
    let wanted: u64 = apps.iter().map(|app| quantity(&server, app)).sum();
    assert_eq!((taken, wanted), (20, 28));
    assert!(server.get("/cost")["committed_per_month"].as_f64().unwrap() <= 161.0);
}

#[test]
fn a_first_deploy_beyond_a_cap_is_released_without_a_replica_and_says_so() {
    let server = Server::start_on_fleet();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    cap(&server, Some("shop"), json!(4));
    let app = server.app("shop");
    let steps = server.run(async {
        let platform = &server.platform;
        let id = BuildId::new();
        let mut tx = platform.store.write().await.unwrap();
        let options = json!({});
        let new = NewBuild { id, app: app.id, user: app.owner_id, commit: None, branch: None, options };
        let build = store::enqueue_build(&mut tx, new).await.unwrap();
        let deadline = Timestamp::now() + SignedDuration::from_mins(5);
        assert!(store::start_build(&mut tx, id, deadline, &platform.lease()).await.unwrap());
        let build = store::find_build(&mut tx, build.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let mut manifest = SlugManifest::default();
        manifest.processes.insert(ProcessType::web(), "serve".to_owned());
        let digest = "a".repeat(64).parse().unwrap();
        let (pins, durations) = (Pins::default(), std::collections::BTreeMap::new());
        let built = BuiltSlug { build, digest, bytes: 1, manifest, pins, commit: None, durations };
        let actor =
            Actor { user: app.owner_id, email: "ann@example.org".to_owned(), token: None, remote: None };
        let made = release_slug(platform, &actor, &app, built).await.unwrap();
        let operation = made.operation.unwrap();
        store::list_steps(&mut platform.store.read().await.unwrap(), operation.id).await.unwrap()
    });
    assert_eq!(quantity(&server, "shop"), 0);
    let says = "web: 0 replicas, since with one shop would cost $4.46 a month, and its cap is $4.00";
    assert!(steps.iter().any(|step| step.text.starts_with(says)), "{steps:?}");
}

#[test]
fn a_cap_is_an_amount_and_of_an_app_that_exists() {
    let server = Server::start_on_fleet();
    let ask = |body: Value| server.ask("PATCH", "/cost").body(body).send().status;
    assert_eq!(ask(json!({ "per_month": -1 })), 422);
    assert_eq!(ask(json!({ "per_month": "much" })), 422);
    assert_eq!(ask(json!({ "app": "shop" })), 422);
    assert_eq!(ask(json!({ "app": "shop", "per_month": 1 })), 404);
    server.ask("PATCH", "/fleet").body(json!({ "types": ["x9.huge=16:4"] })).expect(200);
    let refused = server.ask("PATCH", "/cost").body(json!({ "per_month": 500 })).expect(409);
    assert_eq!(refused["message"], "a cap cannot be held: there is no price of x9.huge in us-east-1");
    assert_eq!(server.get("/cost")["unknown"], "there is no price of x9.huge in us-east-1");
}

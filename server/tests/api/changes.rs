//! What makes releases: config vars, rollback, scale, restart; and what the audit trail says of it.

use serde_json::{Value, json};

use crate::server::Server;

const SENTINEL: &str = "s3ntinel-value";

fn shop() -> Server {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server
}

fn versions(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|release| release["version"].as_u64().unwrap()).collect()
}

#[test]
fn each_change_of_config_is_one_release_and_no_change_is_none() {
    let server = shop();
    let set = json!({ "A": "1", "B": "two\nlines ü", "C": 3 });
    let reply = server.ask("PATCH", "/apps/shop/config-vars").body(&set).send();
    assert_eq!((reply.status, reply.header("paas-release")), (200, Some("1")));
    assert_eq!(reply.json(), json!({ "A": "1", "B": "two\nlines ü", "C": "3" }));
    let reply = server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": "1" })).send();
    assert_eq!((reply.status, reply.header("paas-release")), (200, None), "nothing changed");
    let vars =
        server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": null, "X": null })).expect(200);
    assert_eq!(vars, json!({ "B": "two\nlines ü", "C": "3" }));
    assert_eq!(server.get("/apps/shop/config-vars"), vars);
    let releases = server.get("/apps/shop/releases");
    assert_eq!(versions(&releases), [1, 2]);
    assert_eq!(releases[0]["description"], "Set A, B, C config vars");
    let current: Vec<_> = releases.as_array().unwrap().iter().filter(|r| r["current"] == true).collect();
    assert_eq!((current.len(), &current[0]["version"]), (1, &json!(2)));
    assert_eq!(server.get("/apps/shop/releases/v1/config-vars")["A"], "1");
    for (bad, hint) in [(json!("x\u{0}y"), "base64"), (json!("x".repeat(64 * 1024 + 1)), "large files")] {
        let refused = server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": bad })).expect(422);
        assert!(refused["hint"].as_str().unwrap().contains(hint), "{refused}");
    }
    for bad in [json!({ "a-b": "1" }), json!({ "PORT": "1" }), json!({ "A": {} }), json!({ "A": "x\u{0}y" })]
    {
        server.ask("PATCH", "/apps/shop/config-vars").body(bad).expect(422);
    }
    assert_eq!(versions(&server.get("/apps/shop/releases")), [1, 2]);
}

#[test]
fn a_rollback_is_a_new_release_with_the_old_slug_and_config() {
    let server = shop();
    let none = server.ask("POST", "/apps/shop/releases").expect(422);
    assert!(none["message"].as_str().unwrap().contains("no earlier release"), "{none}");
    let app = server.app("shop");
    let first = server.deploy(&app, "a");
    server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": "1" })).expect(200);
    server.deploy(&app, "b");
    for target in [first.id.to_string(), "v1".to_owned(), "1".to_owned()] {
        let reply = server.ask("POST", "/apps/shop/releases").body(json!({ "release": target })).send();
        let operation = reply.header("paas-operation").unwrap().to_owned();
        let release = reply.expect(201);
        assert_eq!((&release["kind"], &release["rollback_of"]), (&json!("rollback"), &json!(1)));
        assert_eq!(release["slug"]["digest"], "a".repeat(64));
        assert_eq!(release["operation"], operation.as_str());
        let version = release["version"].as_u64().unwrap();
        assert_eq!(server.get(&format!("/apps/shop/releases/{version}/config-vars")), json!({}));
        let followed = server.get(&format!("/apps/shop/operations/{operation}"));
        assert_eq!(
            (&followed["state"], &followed["release"]["version"]),
            (&json!("active"), &json!(version))
        );
    }
    assert_eq!(server.get("/apps/shop/operations?state=active").as_array().unwrap().len(), 1);
    let superseded = server.get("/apps/shop/releases/4");
    assert_eq!(
        (&superseded["status"], &superseded["reason"]),
        (&json!("expired"), &json!("superseded by v5"))
    );
    server.ask("POST", "/apps/shop/releases").body(json!({ "release": "v99" })).expect(404);
    let diff = server.get("/apps/shop/releases/v1/diff/v3");
    assert_eq!((&diff["config"]["added"], &diff["slug"]["from"]), (&json!(["A"]), &json!("a".repeat(64))));
}

#[test]
fn releases_come_in_pieces_newest_first_when_asked() {
    let server = shop();
    for n in 1..=5 {
        server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": n })).expect(200);
    }
    let reply =
        server.ask("GET", "/apps/shop/releases").header("range", "version ..; max=2, order=desc").send();
    assert_eq!(reply.status, 206);
    let next = reply.header("next-range").unwrap().to_owned();
    assert_eq!(reply.header("content-range"), Some("version 5..4"));
    assert_eq!(versions(&reply.json()), [5, 4]);
    let reply = server.ask("GET", "/apps/shop/releases").header("range", &next).send();
    assert_eq!((reply.status, versions(&reply.json())), (206, vec![3, 2]));
    let next = reply.header("next-range").unwrap().to_owned();
    let reply = server.ask("GET", "/apps/shop/releases").header("range", &next).send();
    assert_eq!((reply.status, versions(&reply.json())), (200, vec![1]));
}

#[test]
fn scaling_takes_what_herokus_tools_send() {
    let server = shop();
    let app = server.app("shop");
    let nothing = json!({ "updates": [{ "type": "web", "quantity": 2 }] });
    let refused = server.ask("PATCH", "/apps/shop/formation").body(&nothing).expect(404);
    assert!(refused["hint"].as_str().unwrap().contains("git push"), "{refused}");
    server.deploy(&app, "a");
    let quantity = |list: &Value, process: &str| {
        let entry = list.as_array().unwrap().iter().find(|entry| entry["type"] == process).unwrap().clone();
        (entry["quantity"].as_u64().unwrap(), entry["size"].as_str().unwrap().to_owned())
    };
    let updates = json!({ "updates": [
        { "type": "web", "quantity": "+2" }, { "type": "worker", "quantity": "4", "size": "standard-2x" },
    ]});
    let list = server.ask("PATCH", "/apps/shop/formation").body(updates).expect(200);
    assert_eq!(quantity(&list, "web"), (3, "Standard-1X".to_owned()));
    assert_eq!(quantity(&list, "worker"), (4, "Standard-2X".to_owned()));
    let terraform = json!({ "dyno_size": { "name": "performance-m" }, "quantity": 1 });
    let one = server.ask("PATCH", "/apps/shop/formation/worker").body(terraform).expect(200);
    assert_eq!(
        (&one["quantity"], &one["size"], &one["command"]),
        (&json!(1), &json!("Performance-M"), &json!("work"))
    );
    let id = one["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/apps/shop/formation/{id}")), one);
    let typo = json!({ "updates": [{ "type": "wokrer", "quantity": 1 }, { "type": "web", "quantity": 9 }] });
    let refused = server.ask("PATCH", "/apps/shop/formation").body(typo).expect(404);
    assert_eq!(refused["hint"], "did you mean `worker`?");
    assert_eq!(server.get("/apps/shop/formation/web")["quantity"], 3, "all updates or none");
    for wrong in [json!({ "quantity": 1000 }), json!({ "quantity": "many" }), json!({ "size": "huge" })] {
        server.ask("PATCH", "/apps/shop/formation/web").body(wrong).expect(422);
    }
}

#[test]
fn a_restart_answers_with_its_operation_and_can_be_cancelled() {
    let server = shop();
    server.ask("DELETE", "/apps/shop/dynos").expect(422);
    server.deploy(&server.app("shop"), "a");
    let answer =
        server.ask("DELETE", "/apps/shop/dynos").header("content-type", "application/json").expect(202);
    let id = answer["operation"].as_str().unwrap();
    assert_eq!(server.get(&format!("/apps/shop/operations/{id}"))["kind"], "restart");
    let path = format!("/apps/shop/operations/{id}/actions/cancel");
    assert_eq!(server.ask("POST", &path).expect(202)["state"], "cancelled");
    server.ask("POST", &path).expect(422);
    server.ask("DELETE", "/apps/shop/dynos/web.9").expect(404);
}

#[test]
fn a_rollout_that_was_cancelled_is_no_failure_and_says_who_did_it() {
    let server = shop();
    server.deploy(&server.app("shop"), "a");
    server.ask("PATCH", "/apps/shop/config-vars").body(json!({ "A": "1" })).expect(200);
    let operation = server.get("/apps/shop/operations?state=active")[0]["id"].clone();
    let operation = format!("/apps/shop/operations/{}/actions/cancel", operation.as_str().unwrap());
    server.ask("POST", &operation).expect(202);
    let release = server.get("/apps/shop/releases/v2");
    assert_eq!(
        (&release["state"], &release["status"], &release["reason"]),
        (&json!("cancelled"), &json!("failed"), &json!("cancelled by admin@localhost"))
    );
    assert_eq!(server.get("/apps/shop/config-vars"), json!({}), "what was cancelled does not count");
}

#[test]
fn every_change_leaves_one_row_and_no_value_leaks() {
    let server = shop();
    server.deploy(&server.app("shop"), "a");
    let set = json!({ "API_KEY": SENTINEL });
    server.ask("PATCH", "/apps/shop/config-vars").body(&set).expect(200);
    server.ask("PATCH", "/apps/shop").body(json!({ "maintenance": true })).expect(200);
    server.ask("PATCH", "/apps/shop/formation/web").body(json!({ "quantity": 2 })).expect(200);
    server.ask("POST", "/apps/shop/domains").body(json!({ "hostname": "a.example.org" })).expect(201);
    // What is refused changes nothing and leaves no row.
    let refused = json!({ "API_KEY": format!("{SENTINEL}\u{0}") });
    let refused = server.ask("PATCH", "/apps/shop/config-vars").body(&refused).send();
    let garbled =
        server.ask("PATCH", "/apps/shop/config-vars").body(format!("{{\"A\":\"{SENTINEL}\" ")).send();
    assert_eq!((refused.status, garbled.status), (422, 400));
    let rows = server.ask("GET", "/apps/shop/activity").send();
    let actions: Vec<String> = rows
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["domain.add", "formation.scale", "app.update", "config.change", "app.create"]);
    let change = &rows.json()[3];
    assert_eq!((&change["detail"]["set"], &change["detail"]["release"]), (&json!(["API_KEY"]), &json!(2)));
    assert_eq!(
        (&change["actor"]["email"], &change["token"]["name"]),
        (&json!("admin@localhost"), &json!("admin-token"))
    );
    assert_eq!((&change["remote"], &change["app"]["name"]), (&json!("127.0.0.1"), &json!("shop")));
    let surfaces =
        ["/apps/shop/releases", "/apps/shop/formation", "/apps/shop", "/activity", "/apps/shop/operations"];
    for path in surfaces {
        assert!(!server.ask("GET", path).send().text.contains("s3ntinel"), "{path}");
    }
    for reply in [rows, refused, garbled] {
        assert!(!reply.text.contains("s3ntinel"), "{}", reply.text);
    }
}

#[test]
fn pins_are_shown_and_let_go() {
    let server = shop();
    let app = server.app("shop");
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let pin = model::pins::Pin { version: "3.11.2".into(), requested: None, origin: "default".into() };
        let pins = [("python".to_owned(), pin.clone()), ("uv".to_owned(), pin)].into();
        store::set_pins(&mut tx, app.id, &pins).await.unwrap();
        tx.commit().await.unwrap();
    });
    assert_eq!(server.get("/apps/shop/pins")["python"]["version"], "3.11.2");
    let path = "/apps/shop/pins/actions/upgrade";
    server.ask("POST", path).body(json!({ "names": ["uv", "ruby"] })).expect(422);
    assert_eq!(
        server.ask("POST", path).body(json!({ "names": ["uv"] })).expect(200),
        json!({ "released": ["uv"] })
    );
    assert_eq!(server.ask("POST", path).expect(200), json!({ "released": ["python"] }));
    assert_eq!(server.get("/apps/shop/pins"), json!({}));
}

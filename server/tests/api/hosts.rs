//! Hosts as the API shows them, and what may be done with them.

use std::sync::Arc;

use model::access::Scope;
use model::fleet::{Doubt, Fleet};
use model::host_use::{HostUse, Share};
use model::id::HostId;
use model::name::ProcessType;
use model::plan::{ReplicaWish, Waiting};
use model::replica::{HostReport, ReplicaStatus};
use model::size::Size;
use serde_json::{Value, json};
use store::{HostFacts, NewReplica};

use crate::browser::Browser;
use crate::server::Server;

/// Adds a host with room for four small replicas.
pub(crate) fn host(server: &Server, name: &str, zone: &str) -> HostId {
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let host = store::create_host(&mut tx, name, zone, &format!("key of {name}")).await.unwrap();
        let facts = HostFacts {
            memory_bytes: Some(2 << 30),
            cpu_millicores: Some(2_000),
            version: Some("0.1.0".to_owned()),
            engine: Some("sandbox".to_owned()),
            ..HostFacts::default()
        };
        store::set_host_facts(&mut tx, host.id, &facts).await.unwrap();
        tx.commit().await.unwrap();
        host.id
    })
}

/// Wants a replica of the app `shop` there.
pub(crate) fn replica(server: &Server, host: HostId, number: u32) {
    let app = server.app("shop");
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let serving = app.serving.unwrap();
        let new = NewReplica {
            app: app.id,
            version: serving.version,
            generation: serving.generation,
            process: ProcessType::web(),
            number,
            host,
            wish: ReplicaWish::Run,
            command: None,
            size: Size::Standard2X,
            operation: None,
        };
        store::create_replica(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
    });
}

/// Hears of a host that 1.2 of 4 cores and 3 of 8 GiB of its machine are in use.
pub(crate) fn hear(server: &Server, host: HostId, replicas: Vec<ReplicaStatus>) {
    let in_use = HostUse {
        cpu_millicores: Some(Share { used: 1_200, of: 4_000 }),
        memory_bytes: Some(Share { used: 3 << 30, of: 8 << 30 }),
    };
    let report = HostReport { in_use: Some(in_use), replicas, ..HostReport::default() };
    assert_eq!(server.platform.facts.hear(host, Some((1, report))), Some(1));
}

fn shop(server: &Server) {
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server.deploy(&server.app("shop"), "a");
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|host| host["name"] == name).unwrap()
}

#[test]
fn hosts_are_listed_with_their_zone_and_their_room() {
    let server = Server::start();
    shop(&server);
    let id = host(&server, "app-1", "a");
    host(&server, "app-2", "b");
    replica(&server, id, 1);
    let list = server.get("/hosts");
    let one = named(&list, "app-1");
    assert_eq!((&one["zone"], &one["state"], &one["replicas"]), (&json!("a"), &json!("ready"), &json!(1)));
    assert_eq!((&one["memory_bytes"], &one["memory_free_bytes"]), (&json!(2u64 << 30), &json!(1u64 << 30)));
    assert_eq!((&one["cpu_millicores"], &one["cpu_free_millicores"]), (&json!(2_000), &json!(1_800)));
    assert_eq!((&one["version"], &one["embedded"]), (&json!("0.1.0"), &json!(false)));
    assert_eq!(named(&list, "app-2")["memory_free_bytes"], json!(2u64 << 30));
    let info = server.get("/hosts/app-1");
    assert_eq!((&info["dynos"][0]["app"], &info["dynos"][0]["name"]), (&json!("shop"), &json!("web.1")));
    assert_eq!(info["apps"][0]["name"], "shop");
    assert_eq!(server.get(&format!("/hosts/{id}"))["name"], "app-1");
    let missing = server.ask("GET", "/hosts/nope").expect(404);
    assert!(missing["hint"].as_str().unwrap().contains("paasctl hosts"), "{missing}");
}

#[test]
fn a_host_drains_and_resumes_and_who_did_it_is_noted() {
    let server = Server::start();
    host(&server, "app-1", "a");
    let drained = server.ask("POST", "/hosts/app-1/actions/drain").body(json!({})).expect(200);
    assert_eq!(drained["state"], "draining");
    assert!(drained["reason"].as_str().unwrap().ends_with(" drains it"), "{drained}");
    assert_eq!(server.get("/hosts")[0]["state"], "draining");
    let resumed = server.ask("POST", "/hosts/app-1/actions/resume").body(json!({})).expect(200);
    assert_eq!((&resumed["state"], &resumed["reason"]), (&json!("ready"), &Value::Null));
    let rows = server.get("/activity");
    assert_eq!((&rows[0]["action"], &rows[0]["detail"]["host"]), (&json!("host.resume"), &json!("app-1")));
}

#[test]
fn a_host_with_replicas_is_removed_only_by_force_or_when_it_is_lost() {
    let server = Server::start();
    shop(&server);
    let (one, two) = (host(&server, "app-1", "a"), host(&server, "app-2", "b"));
    replica(&server, one, 1);
    replica(&server, two, 2);
    let refused = server.ask("DELETE", "/hosts/app-1").expect(409);
    assert!(refused["hint"].as_str().unwrap().contains("hosts:drain app-1 --wait"), "{refused}");
    server.ask("DELETE", "/hosts/app-1?force=true").expect(200);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::lose_host(&mut tx, two, "nothing was heard of it").await.unwrap();
        tx.commit().await.unwrap();
    });
    let lost = server.get("/hosts/app-2");
    assert_eq!((&lost["state"], &lost["reason"]), (&json!("lost"), &json!("nothing was heard of it")));
    server.ask("POST", "/hosts/app-2/actions/drill").body(json!({})).expect(409);
    server.ask("DELETE", "/hosts/app-2").expect(200);
    assert_eq!(server.get("/hosts"), json!([]));
    assert_eq!(server.get("/apps/shop/dynos"), json!([]), "others are to be made elsewhere");
    assert_eq!(
        server.ask("POST", "/hosts/app-1/actions/resume").body(json!({})).expect(404)["id"],
        "not_found"
    );
}

#[test]
fn a_host_that_is_not_heard_of_is_silent_and_so_is_the_platform_in_doubt() {
    let server = Server::start();
    let id = host(&server, "app-1", "a");
    assert_eq!(server.get("/platform")["doubt"], Value::Null);
    let fleet = Fleet { silent: [id].into(), ..Fleet::default() };
    server.platform.outlook.set_fleet(Arc::new(fleet));
    let silent = &server.get("/hosts")[0];
    assert_eq!(silent["state"], "silent");
    assert!(silent["reason"].as_str().unwrap().starts_with("nothing was heard of it for "), "{silent}");
    let doubt = Some(Doubt { unheard: 2, of: 3 });
    server.platform.outlook.set_fleet(Arc::new(Fleet { doubt, ..Fleet::default() }));
    let told = server.get("/platform")["doubt"].as_str().unwrap().to_owned();
    assert!(told.starts_with("2 of 3 hosts are not heard of at once: it is probably this server"), "{told}");
    assert!(
        told.ends_with("`paasctl hosts:remove HOST --force` tells it of one that is gone for good"),
        "{told}"
    );
    let unheard = &server.get("/hosts")[0];
    assert_eq!(unheard["state"], "silent");
    assert!(unheard["reason"].as_str().unwrap().contains("its routes are kept"), "{unheard}");
}

#[test]
fn what_a_machine_has_in_use_is_shown_while_its_host_is_heard_of() {
    let server = Server::start();
    let id = host(&server, "app-1", "a");
    host(&server, "app-2", "b");
    let fields = ["cpu_used", "cpu_total", "memory_used_bytes", "memory_total_bytes"];
    let shown = |host: &Value| fields.map(|field| host.get(field).unwrap().clone());
    hear(&server, id, Vec::new());
    let in_use = [json!(1.2), json!(4.0), json!(3u64 << 30), json!(8u64 << 30)];
    assert_eq!(shown(&server.get("/hosts/app-1")), in_use);
    let list = server.get("/hosts");
    assert_eq!(shown(named(&list, "app-1")), in_use);
    let unknown = [Value::Null, Value::Null, Value::Null, Value::Null];
    assert_eq!(shown(named(&list, "app-2")), unknown, "nothing was heard of it");
    let mut browser = Browser::of_admin(&server);
    server.platform.facts.hear(id, None);
    let page = browser.get("/dashboard/platform").text;
    assert!(page.contains("in use 3.2 GB of 8.6 GB, 1.2 of 4.0 cores"), "{page}");
    assert_eq!(page.matches("in use ").count(), 1, "{page}");
    let fleet = Fleet { silent: [id].into(), ..Fleet::default() };
    server.platform.outlook.set_fleet(Arc::new(fleet));
    server.platform.facts.hear(id, None);
    assert_eq!(shown(&server.get("/hosts/app-1")), unknown, "who is silent may use anything");
}

#[test]
fn an_older_agent_says_nothing_of_its_machine() {
    let server = Server::start();
    let id = host(&server, "app-1", "a");
    let older = serde_json::from_value(json!({ "generation": 1, "replicas": [], "degraded": [] }));
    server.platform.facts.hear(id, Some((1, older.unwrap())));
    let shown = server.get("/hosts/app-1");
    assert_eq!((&shown["state"], &shown["cpu_used"]), (&json!("ready"), &Value::Null));
    assert_eq!(shown["memory_used_bytes"], Value::Null);
}

#[test]
fn a_drill_is_counted_and_shows_what_it_is_about() {
    let server = Server::start();
    shop(&server);
    let id = host(&server, "app-1", "a");
    replica(&server, id, 1);
    let begun = server.ask("POST", "/hosts/app-1/actions/drill").body(json!({})).expect(202);
    assert_eq!((&begun["drill"], &begun["dynos"][0]["name"]), (&json!(0), &json!("web.1")));
    assert_eq!(server.get("/hosts/app-1")["drill"], 1);
}

#[test]
fn a_replica_without_room_is_shown_as_waiting_with_the_reason() {
    let server = Server::start();
    shop(&server);
    let app = server.app("shop");
    let waiting = Waiting {
        app: app.id,
        process: ProcessType::web(),
        number: 2,
        version: app.serving.unwrap().version,
        size: Size::Standard1X,
        reason: "no host has 512 MB of memory left for it, the most is 0 MB".to_owned(),
    };
    assert!(server.platform.outlook.set_waiting(vec![waiting.clone()]));
    assert!(!server.platform.outlook.set_waiting(vec![waiting]), "that is no news");
    let dynos = server.get("/apps/shop/dynos");
    let shown = &dynos[0];
    assert_eq!(
        (&shown["name"], &shown["state"], &shown["phase"]),
        (&json!("web.2"), &json!("waiting"), &json!("waiting"))
    );
    assert!(
        shown["reason"]
            .as_str()
            .unwrap()
            .ends_with("add a host, scale something down, or choose a smaller size")
    );
    assert_eq!(shown["id"], server.get("/apps/shop/dynos/web.2")["id"]);
}

#[test]
fn only_administrators_see_what_runs_on_a_host() {
    let server = Server::start();
    host(&server, "app-1", "a");
    let (_, secret) = server.user("ann@example.org", Scope::Write);
    let ask = |path: &str| server.bare("GET", path).token(&secret);
    assert_eq!(ask("/hosts").expect(200)[0]["name"], "app-1");
    ask("/hosts/app-1").expect(403);
}

#[test]
fn the_platform_page_shows_hosts_and_drains_them() {
    let server = Server::start();
    shop(&server);
    let id = host(&server, "app-1", "a");
    replica(&server, id, 1);
    let mut browser = Browser::of_admin(&server);
    let page = browser.get("/dashboard/platform").text;
    assert!(page.contains("app-1") && page.contains("a, 1 replica, "), "{page}");
    assert!(page.contains("1.8 of 2.0 cores") && page.contains("aria-label=\"Drain app-1\""), "{page}");
    let page = browser.submit("/dashboard/platform/hosts/drain", &[("host", "app-1")]).text;
    assert!(page.contains("app-1 drains: ") && page.contains("aria-label=\"Resume app-1\""), "{page}");
    assert_eq!(server.get("/hosts")[0]["state"], "draining");
    let page = browser.submit("/dashboard/platform/hosts/resume", &[("host", "app-1")]).text;
    assert!(page.contains("app-1 takes replicas again."), "{page}");
    let doubt = Some(Doubt { unheard: 2, of: 3 });
    server.platform.outlook.set_fleet(Arc::new(Fleet { doubt, silent: [id].into(), ..Fleet::default() }));
    let page = browser.get("/dashboard/platform").text;
    assert!(page.contains("2 of 3 hosts are not heard of at once") && page.contains("silent"), "{page}");
    let (_, token) = server.user("ann@example.org", Scope::Write);
    let mut ann = Browser::with_token(&server, &token);
    let page = ann.submit("/dashboard/platform/hosts/drain", &[("host", "app-1")]).text;
    assert!(page.contains("only administrators"), "{page}");
}

#[test]
fn a_join_token_is_made_for_one_machine() {
    let server = Server::start();
    let made = server
        .ask("POST", "/hosts")
        .body(json!({ "name": "app-9", "zone": "b", "ttl_seconds": 60 }))
        .expect(201);
    assert!(made["token"].as_str().unwrap().starts_with("paasj_"), "{made}");
    assert!(made["server"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{made}");
    let rows = server.get("/activity");
    assert_eq!((&rows[0]["action"], &rows[0]["detail"]["name"]), (&json!("host.add"), &json!("app-9")));
    assert!(!rows.to_string().contains("paasj_"));
    for bad in [json!({ "ttl_seconds": 100_000 }), json!({ "zone": "a b" }), json!({ "name": "-x" })] {
        server.ask("POST", "/hosts").body(bad).expect(422);
    }
    host(&server, "app-1", "a");
    let taken = server.ask("POST", "/hosts").body(json!({ "name": "app-1" })).expect(422);
    assert!(taken["message"].as_str().unwrap().contains("app-1 already"), "{taken}");
}

#[test]
fn of_very_many_hosts_the_dashboard_shows_those_to_look_at_first_and_all_when_asked() {
    let server = Server::start();
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        for number in 0..250 {
            let name = format!("app-{number:03}");
            let host = store::create_host(&mut tx, &name, "a", &name).await.unwrap();
            if number == 240 {
                store::lose_host(&mut tx, host.id, "its rack burnt").await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    });
    let mut browser = Browser::of_admin(&server);
    let page = browser.get("/dashboard/platform").text;
    assert!(page.contains("its rack burnt") && page.contains("250 hosts: 249 ready, 1 lost"), "{page}");
    assert!(!page.contains("app-239") && page.contains("220 more"), "{page}");
    let all = browser.get("/dashboard/platform?hosts=all").text;
    assert!(all.contains("app-239") && all.contains("app-249") && !all.contains(" more</a>"), "{all}");
}

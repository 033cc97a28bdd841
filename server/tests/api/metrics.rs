//! What apps did: over the API, for Prometheus, and on the pages of the dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::access::Scope;
use model::host_use::{HostUse, Share};
use model::id::{HostId, ReplicaId};
use model::metrics::{HostMinute, Reading, ReplicaMinute};
use model::name::ProcessType;
use paasd::metrics::{Counters, sample_now, take};
use router::{Backend, Code, RequestLine};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::hosts::{hear, host, replica};
use crate::server::Server;

/// Counts requests of an app as the router does, for as long as the counters are held.
fn visit(server: &Server, app: &str, answers: &[(u16, u64)]) -> Arc<Counters> {
    let counters = server.platform.metrics.counters(server.app(app).id);
    for (status, ms) in answers {
        let value = http::HeaderValue::from_static("x");
        let status = http::StatusCode::from_u16(*status).unwrap();
        counters.count(&RequestLine {
            code: (status == 503).then_some(Code::H10),
            method: http::Method::GET,
            path: "/".parse().unwrap(),
            host: value.clone(),
            request_id: value.clone(),
            fwd: value,
            replica: None,
            connect: Duration::ZERO,
            service: Duration::from_millis(*ms),
            status,
            bytes: 0,
            protocol: "http",
        });
    }
    server.run(sample_now(&server.platform));
    counters
}

fn minute_now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap() / 60
}

/// Brings minutes of a host, by how long ago they were, in which its machine and a replica used so many MiB.
fn bring(server: &Server, (host, replica, now): (HostId, ReplicaId, u64), minutes: &[(u64, u32)]) {
    let app = server.app("shop").id;
    let minute = |(ago, memory_mib): &(u64, u32)| HostMinute {
        minute: now - ago,
        in_use: HostUse {
            cpu_millicores: Some(Share { used: 500, of: 4_000 }),
            memory_bytes: Some(Share { used: u64::from(*memory_mib) << 20, of: 8 << 30 }),
        },
        replicas: vec![ReplicaMinute {
            id: replica,
            app,
            process: ProcessType::web(),
            number: 1,
            reading: Reading { millicores: Some(500), memory_mib: Some(*memory_mib) },
        }],
    };
    let minutes: Vec<_> = minutes.iter().map(minute).collect();
    server.run(take(&server.platform, host, &minutes)).unwrap();
}

/// Returns a replica of which its host says now that it uses memory.
fn measured_replica(server: &Server, host: HostId) -> ReplicaId {
    replica(server, host, 1);
    let replicas = server.run(async {
        let mut db = server.platform.store.read().await.unwrap();
        store::list_all_replicas(&mut db).await.unwrap()
    });
    let id = replicas.iter().find(|replica| replica.host_id == host).unwrap().id;
    let status = json!({
        "id": id, "phase": "healthy", "since": "2026-01-05T12:00:00Z", "address": null, "restarts": 0,
        "last_exit": null, "probe": null, "memory_bytes": 7,
    });
    hear(server, host, vec![serde_json::from_value(status).unwrap()]);
    id
}

/// Returns a field of each minute.
fn column(minutes: &Value, field: &str) -> Vec<Value> {
    minutes.as_array().unwrap().iter().map(|minute| minute[field].clone()).collect()
}

fn shop(server: &Server) {
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server.deploy(&server.app("shop"), "a");
}

#[test]
fn the_last_minutes_tell_requests_errors_and_percentiles() {
    let server = Server::start();
    shop(&server);
    let answers = [[(200, 4); 95].as_slice(), &[(404, 900); 4], &[(503, 900)]].concat();
    let _counters = visit(&server, "shop", &answers);
    let metrics = server.get("/apps/shop/metrics?minutes=5");
    let total = &metrics["total"];
    assert_eq!((&total["requests"], &total["errors"], &total["2xx"]), (&json!(100), &json!(1), &json!(95)));
    assert_eq!((&total["4xx"], &total["5xx"]), (&json!(4), &json!(1)));
    assert_eq!((&total["p95_ms"], &total["p99_ms"]), (&json!(5.0), &json!(900.0)), "{total}");
    let minutes = metrics["minutes"].as_array().unwrap();
    assert_eq!(minutes.len(), 5);
    let quiet = minutes.iter().find(|minute| minute["requests"] == 0).unwrap();
    assert!(quiet["p50_ms"].is_null() && quiet["at"].is_string(), "{quiet}");
    let sum: u64 = minutes.iter().map(|minute| minute["requests"].as_u64().unwrap()).sum();
    assert_eq!(sum, 100);
    assert_eq!(server.get("/apps/shop/metrics")["minutes"].as_array().unwrap().len(), 60);
    for wrong in ["0", "1441", "many", "-1"] {
        let reply = server.ask("GET", &format!("/apps/shop/metrics?minutes={wrong}")).send();
        assert!(reply.status == 422 && reply.text.contains("1 to 1440"), "{wrong}: {}", reply.text);
    }
}

#[test]
fn an_app_is_no_strangers_and_the_metrics_of_all_are_administrators() {
    let server = Server::start();
    shop(&server);
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    let ask = |path| server.bare("GET", path).token(&stranger).send().status;
    assert_eq!((ask("/apps/shop/metrics"), ask("/metrics")), (404, 403));
    assert_eq!(server.bare("GET", "/metrics").send().status, 401);
    let (_, reader) = server.user("admin@localhost", Scope::Read);
    assert_eq!(server.bare("GET", "/metrics").token(&reader).send().status, 403, "its scope is not enough");
}

#[test]
fn minutes_that_come_late_fill_the_history_once_and_those_that_never_come_are_missing() {
    let server = Server::start();
    shop(&server);
    let id = host(&server, "app-1", "a");
    let one = measured_replica(&server, id);
    let now = minute_now();
    let bring = |minutes: &[(u64, u32)]| bring(&server, (id, one, now), minutes);
    bring(&[(20, 100), (19, 100)]);
    let shown = || server.get("/apps/shop/metrics?minutes=30")["replicas"][0].clone();
    let silent = shown();
    // From 18 minutes ago on, and the present one; the clock may have gone on meanwhile.
    assert!(silent["missing_minutes"].as_u64() >= Some(19), "{silent}");
    assert!(silent["memory_bytes"].as_array().unwrap()[15..].iter().all(Value::is_null), "{silent}");
    bring(&[(19, 900), (18, 100), (17, 100), (10, 300), (9, 300), (8, 300)]);
    bring(&[(10, 900), (7, 300), (6, 300), (5, 300), (4, 300), (3, 300), (2, 300)]);
    bring(&[(1, 300), (0, 300)]);
    let shown = shown();
    let memory: Vec<u64> = shown["memory_bytes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bytes| bytes.as_u64().unwrap_or(0) >> 20)
        .collect();
    let known: Vec<u64> = memory.iter().copied().skip_while(|mib| *mib == 0).collect();
    let expected = [vec![100; 4], vec![0; 6], vec![300; 11]].concat();
    assert_eq!(known[..21], expected, "{shown}");
    assert_eq!(shown["missing_minutes"], 6, "{shown}");
    let of_host = server.get("/hosts/app-1/metrics?minutes=30");
    let (used, measured) =
        (column(&of_host["minutes"], "memory_used_bytes"), column(&of_host["minutes"], "measured"));
    assert_eq!(measured.iter().filter(|measured| **measured == true).count(), 15, "{of_host}");
    assert_eq!(
        used.iter().filter(|used| **used == 900_u64 << 20).count(),
        0,
        "what came first counts: {of_host}"
    );
    assert_eq!(of_host["missing_minutes"], 6, "{of_host}");
    let hour = &server.get("/hosts/app-1")["last_hour"];
    assert_eq!((&hour["missing_minutes"], &hour["cpu_used"]), (&json!(6), &json!(0.5)), "{hour}");
    assert_eq!(hour["memory_used_bytes"], 300_u64 << 20, "{hour}");
    let page = Browser::of_admin(&server).get("/dashboard/apps/shop").text;
    assert!(page.contains("at most 314.6 MB; for 6 min nobody measured it"), "{page}");
}

#[test]
fn what_a_server_had_counted_when_it_was_killed_is_missing_visibly() {
    let server = Server::start();
    shop(&server);
    let shown = || server.get("/apps/shop/metrics?minutes=30")["uncounted_minutes"].clone();
    assert_eq!(shown(), 0);
    let now = minute_now();
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_counting(&mut tx, uuid::Uuid::now_v7(), now - 10).await.unwrap();
        store::set_counting(&mut tx, uuid::Uuid::now_v7(), now - 40).await.unwrap();
        store::settle_counting(&mut tx, now - 3).await.unwrap();
        tx.commit().await.unwrap();
    });
    assert_eq!(shown(), 1, "the other was before the window");
    let page = Browser::of_admin(&server).get("/dashboard/apps/shop").text;
    assert!(page.contains("A server was killed: of 2 minutes requests may be missing."), "{page}");
}

#[test]
fn a_clock_that_is_wrong_stands_in_the_way_of_nothing() {
    let server = Server::start();
    shop(&server);
    let (id, replica) = (host(&server, "app-1", "a"), ReplicaId::new());
    server.run(async {
        let minute = HostMinute { minute: u64::from(u32::MAX), ..HostMinute::default() };
        take(&server.platform, id, &[minute]).await.unwrap();
    });
    bring(&server, (id, replica, minute_now()), &[(2, 100), (1, 100)]);
    let measured = column(&server.get("/hosts/app-1/metrics?minutes=5")["minutes"], "measured");
    assert_eq!(measured.iter().filter(|measured| **measured == true).count(), 2);
}

#[test]
fn requests_are_told_by_the_replica_that_was_asked() {
    let server = Server::start();
    shop(&server);
    let id = host(&server, "app-1", "a");
    let one = measured_replica(&server, id);
    let address = "127.0.0.1:1".parse().unwrap();
    let backend = Backend::new(one.to_string(), "web.1", address);
    let place = paasd::facts::Place { address, entry: None };
    server.platform.facts.backend(one, place, || Some(backend.clone()));
    let counters = visit(&server, "shop", &[(503, 5)]);
    for status in [200, 200, 500] {
        let value = http::HeaderValue::from_static("x");
        counters.count(&RequestLine {
            code: None,
            method: http::Method::GET,
            path: "/".parse().unwrap(),
            host: value.clone(),
            request_id: value.clone(),
            fwd: value,
            replica: Some(backend.clone()),
            connect: Duration::ZERO,
            service: Duration::from_millis(4),
            status: http::StatusCode::from_u16(status).unwrap(),
            bytes: 0,
            protocol: "http",
        });
    }
    server.run(sample_now(&server.platform));
    let shown = server.get("/apps/shop/metrics?minutes=5");
    let sum = |field: &str| {
        let counts = shown["replicas"][0][field].as_array().unwrap();
        counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((&shown["total"]["requests"], &shown["replicas"][0]["name"]), (&json!(4), &json!("web.1")));
    assert_eq!((sum("requests"), sum("errors")), (3, 1), "one was answered without a replica: {shown}");
}

/// A sample: its name, its labels, its value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Reads the text format as strictly as `promtool check metrics`: each family has its help and type before its samples,
/// none comes twice, and no two samples have one name and the same labels.
fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    let (mut families, mut series, mut samples) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let (mut helped, mut family) = (String::new(), (String::new(), String::new()));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split_once(' ').unwrap().0.to_owned();
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped, "help comes first");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
            assert!(kind != "counter" || name.ends_with("_total"), "{name}");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (name, labels, value) = sample(line);
        let of = match family.1.as_str() {
            "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)),
            _ => Some(name.as_str()),
        };
        assert_eq!(of, Some(family.0.as_str()), "{line}");
        assert!(series.insert((name.clone(), labels.clone())), "twice: {line}");
        samples.push((name, labels, value));
    }
    samples
}

fn sample(line: &str) -> Sample {
    let (name, mut rest) = line.split_at(line.find(['{', ' ']).unwrap());
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let mut chars = after.char_indices();
            let mut value = String::new();
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        other => panic!("\\{other} is no escape: {line}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap().parse().unwrap())
}

#[test]
fn prometheus_can_read_it_and_finds_each_request_once() {
    let server = Server::start();
    shop(&server);
    server.ask("POST", "/apps").body(json!({ "name": "idle" })).expect(201);
    let _shop = visit(&server, "shop", &[(200, 4), (200, 250), (503, 31_000), (302, 90_000)]);
    let _idle = visit(&server, "idle", &[]);
    let reply = server.ask("GET", "/metrics").send();
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = parse(&reply.text);
    let value = |name: &str, labels: &[(&str, &str)]| {
        let fits = |of: &BTreeMap<String, String>| labels.iter().all(|(label, value)| of[*label] == *value);
        samples.iter().find(|(n, of, _)| n == name && fits(of)).map(|(_, _, value)| *value)
    };
    assert_eq!(value("paas_requests_total", &[("app", "shop"), ("class", "2xx")]), Some(2.0));
    assert_eq!(value("paas_requests_total", &[("app", "shop"), ("class", "5xx")]), Some(1.0));
    assert_eq!(
        value("paas_requests_total", &[("app", "idle")]),
        None,
        "an app without requests has no series"
    );
    let buckets: Vec<f64> = samples
        .iter()
        .filter(|(name, ..)| name == "paas_request_duration_seconds_bucket")
        .map(|(_, _, value)| *value)
        .collect();
    assert!(buckets.is_sorted() && buckets.len() == 21, "{buckets:?}");
    let of = |le: &str| value("paas_request_duration_seconds_bucket", &[("le", le)]);
    assert_eq!([of("0.005"), of("0.3"), of("60"), of("+Inf")], [1.0, 2.0, 3.0, 4.0].map(Some));
    assert_eq!(value("paas_request_duration_seconds_count", &[]), Some(4.0));
    assert_eq!(value("paas_request_duration_seconds_sum", &[]), Some(121.254));
    assert_eq!(value("paas_apps", &[]), Some(2.0));
}

#[test]
fn prometheus_sees_what_machines_have_in_use_and_on_which_a_replica_runs() {
    let server = Server::start();
    shop(&server);
    let (heard, unheard) = (host(&server, "app-1", "a"), host(&server, "app-2", "b"));
    measured_replica(&server, heard);
    replica(&server, unheard, 2);
    let samples = parse(&server.ask("GET", "/metrics").send().text);
    let of = |name: &str| {
        let found = samples.iter().filter(|(n, ..)| n == name);
        found.map(|(_, labels, value)| (labels["host"].clone(), *value)).collect::<Vec<_>>()
    };
    let one = |value: f64| vec![("app-1".to_owned(), value)];
    assert_eq!(of("paas_host_up"), [one(1.0), vec![("app-2".to_owned(), 0.0)]].concat());
    assert_eq!((of("paas_host_cpu_cores_used"), of("paas_host_cpu_cores")), (one(1.2), one(4.0)));
    let gigabyte = f64::from(1 << 30);
    assert_eq!(of("paas_host_memory_used_bytes"), one(3.0 * gigabyte));
    assert_eq!(of("paas_host_memory_bytes"), one(8.0 * gigabyte));
    let zones: BTreeSet<_> =
        samples.iter().filter_map(|(_, labels, _)| Some((labels.get("zone")?, &labels["host"]))).collect();
    assert_eq!(zones.len(), 2, "each in its zone: {zones:?}");
    assert_eq!(of("paas_replica_memory_bytes"), one(7.0));
    let mut in_flight = of("paas_replica_in_flight");
    in_flight.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(in_flight, [("app-1".to_owned(), 0.0), ("app-2".to_owned(), 0.0)]);
}

#[test]
fn the_overview_shows_charts_with_words_for_who_cannot_see_them_and_a_table() {
    let server = Server::start();
    shop(&server);
    let mut browser = Browser::of_admin(&server);
    let page = browser.get("/dashboard/apps/shop").text;
    assert!(page.contains("No requests came in the last hour") && !page.contains("<svg height"), "{page}");
    assert!(!browser.get("/dashboard").text.contains("<svg class=\"spark\""));
    let _counters = visit(&server, "shop", &[[(200, 4); 1_500].as_slice(), &[(500, 45); 3]].concat());
    let page = browser.get("/dashboard/apps/shop").text;
    for part in [
        "1,503 requests in the last hour",
        "Answers with 5xx in the last hour: 3, 0.2 %",
        "Percentiles of the last hour: p50 4.0 ms",
        "role=\"img\" aria-labelledby=\"times-title times-desc\"",
        "class=\"mark-label\"",
        ">v1</text>",
        "The same as a table",
        "<td>1,503</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(" style="), "the policy forbids styles in the page");
    let list = browser.get("/dashboard").text;
    assert!(list.contains("<title>1503 requests in the last hour</title>"), "{list}");
}

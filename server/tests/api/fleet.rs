//! What is decided about the fleet, and what was done about it.

use jiff::Timestamp;
use serde_json::json;
use store::FleetEvent;

use crate::server::Server;

#[test]
fn a_platform_without_a_fleet_says_so() {
    let server = Server::start();
    assert_eq!(server.get("/fleet"), json!({ "source": "none", "name": null, "settings": null }));
    let refused = server.ask("PATCH", "/fleet").body(json!({ "spot": true })).expect(409);
    assert_eq!(refused["message"], "this platform has no fleet; its hosts are added by `paasctl hosts:add`");
    assert_eq!(server.get("/cost"), json!({ "fleet": false }));
    server.ask("PATCH", "/cost").body(json!({ "per_month": 50 })).expect(409);
}

#[test]
fn what_is_changed_is_shown_and_the_rest_stays() {
    let server = Server::start_on_fleet();
    let change = |body| server.ask("PATCH", "/fleet").body(body).expect(200);
    change(json!({ "zone": "us-east-1b", "min": 1, "max": 5 }));
    change(json!({ "types": ["c7g.xlarge", "m7g.xlarge"], "spot": true, "headroom_percent": 25 }));
    change(json!({ "patience_seconds": 90 }));
    assert_eq!(server.get("/fleet")["settings"]["replaced_per_hour"], 6);
    change(json!({ "replaced_per_hour": 40 }));
    assert_eq!(server.get("/fleet")["settings"]["boot_seconds"], 600);
    change(json!({ "boot_seconds": 120 }));
    change(json!({ "schedule": { "when": "mon-sun 0-24", "time_zone": "Europe/Berlin", "min": 2 } }));
    let settings = server.get("/fleet")["settings"].clone();
    let zone = json!({ "name": "us-east-1b", "min": 1, "max": 5, "min_now": 2, "hosts": 0 });
    assert_eq!((&settings["zones"][1], &settings["zones"][0]["max"]), (&zone, &json!(3)));
    assert_eq!(
        (&settings["types"][0]["name"], &settings["types"][1]["name"]),
        (&json!("c7g.xlarge"), &json!("m7g.xlarge"))
    );
    assert_eq!((&settings["spot"], &settings["headroom_percent"]), (&json!(true), &json!(25)));
    assert_eq!((&settings["patience_seconds"], &settings["replaced_per_hour"]), (&json!(90), &json!(40)));
    assert_eq!(settings["boot_seconds"], 120);
    let schedule = json!({ "when": "daily 0:00-24:00", "time_zone": "Europe/Berlin", "min": 2, "on": true });
    assert_eq!(settings["schedules"], json!([schedule]));
    change(json!({ "unschedule": { "when": "daily 0-24" } }));
    assert_eq!(server.get("/fleet")["settings"]["schedules"], json!([]));
}

#[test]
fn what_makes_no_sense_is_refused_in_words_and_changes_nothing() {
    let server = Server::start_on_fleet();
    let before = server.get("/fleet");
    for (body, says) in [
        (json!({}), "nothing is said"),
        (json!({ "zone": "mars", "max": 1 }), "the fleet has no zone `mars`"),
        (json!({ "min": 4 }), "4 hosts at least and 3 at most"),
        (json!({ "max": u64::MAX }), "too large"),
        (json!({ "types": "m7g.large" }), "a list of names"),
        (json!({ "types": ["x9.huge"] }), "x9.huge=16:4"),
        (json!({ "spot": true, "headroom_percent": 999 }), "400 %"),
        (json!({ "patience_seconds": 604_801 }), "a week at most"),
        (json!({ "boot_seconds": 5 }), "from 1 to 20 minutes"),
        (json!({ "replaced_per_hour": 0 }), "from 1 to 10000 hosts"),
        (json!({ "schedule": "weekdays" }), "must be an object"),
        (json!({ "schedule": { "when": "weekdays 8-20" } }), "`schedule.min` is missing"),
        (json!({ "schedule": { "when": "noday 8-20", "min": 1 } }), "no time of the week"),
        (
            json!({ "schedule": { "when": "weekdays 8-20", "min": 1, "time_zone": "Mars" } }),
            "no time zone `Mars`",
        ),
        (json!({ "unschedule": { "when": "weekdays 8-20" } }), "there is no schedule"),
    ] {
        let refused = server.ask("PATCH", "/fleet").body(&body).expect(422);
        assert!(refused["message"].as_str().unwrap().contains(says), "{body}: {refused}");
    }
    assert_eq!(server.get("/fleet"), before);
}

#[test]
fn a_change_is_quoted_before_it_is_made() {
    let server = Server::start_on_fleet();
    let quote = |body| server.ask("POST", "/fleet/quote").body(body).expect(200)["says"].clone();
    assert_eq!(
        quote(json!({ "min": 1 })),
        "The fleet costs $226.63 a month at least and $625.14 at most; it was $27.38 and $625.14."
    );
    assert_eq!(quote(json!({ "headroom_percent": 50 })), json!(null), "what it costs stays");
    server.ask("PATCH", "/cost").body(json!({ "per_month": "$300" })).expect(200);
    let held = quote(json!({ "max": 4 }));
    assert!(held.as_str().unwrap().contains("$824.39 at most, which the cap holds at $300.00"), "{held}");
    assert_eq!(server.get("/fleet")["settings"]["zones"][0]["max"], 3, "a quote changes nothing");
}

#[test]
fn events_come_newest_first_and_never_more_than_were_asked_for() {
    let server = Server::start_on_fleet();
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        for second in 0..5 {
            let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
            let event = FleetEvent { at, about: "i-1".to_owned(), message: format!("event {second}") };
            store::add_fleet_event(&mut tx, &event).await.unwrap();
        }
        tx.commit().await.unwrap();
    });
    let events = server.get("/fleet/events?max=2");
    assert_eq!(events.as_array().unwrap().len(), 2);
    assert_eq!(events[0], json!({ "at": "2027-01-15T08:00:04.000Z", "about": "i-1", "message": "event 4" }));
    assert_eq!(server.get("/fleet/events?max=0").as_array().unwrap().len(), 1);
    server.ask("GET", "/fleet/events?max=many").expect(422);
}

#[test]
fn the_platforms_own_name_behind_load_balancers_can_be_no_apps() {
    let server = Server::start_on_fleet();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let add = |name: &str| server.ask("POST", "/apps/shop/domains").body(json!({ "hostname": name }));
    let refused = add("paas.example.org").expect(422);
    assert_eq!(refused["message"], "paas.example.org is the platform's own name");
    add("shop.example.org").expect(201);
}

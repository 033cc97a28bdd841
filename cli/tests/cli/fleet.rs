//! What a fleet is told, what it did, and the sentence of a platform that has none.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn settings(schedules: Value) -> Value {
    json!({
        "zones": [
            {"name": "us-east-1a", "min": 1, "max": 3, "min_now": 2, "hosts": 2},
            {"name": "us-east-1b", "min": 1, "max": 3, "min_now": 1, "hosts": 0},
        ],
        "types": [{"name": "m7g.large", "per_month": 66.418}, {"name": "x9g.huge", "per_month": null}],
        "spot": true, "headroom_percent": 10, "patience_seconds": 600, "boot_seconds": 300, "replaced_per_hour": 6, "schedules": schedules,
        "at_least_per_month": 160.211, "at_most_per_month": 425.883, "cap_per_month": 300.0,
    })
}

fn office() -> Value {
    json!([{"when": "weekdays 8:00-20:00", "time_zone": "Europe/Berlin", "min": 2, "on": true}])
}

fn fleet(settings: Value) -> Value {
    json!({"source": "aws", "name": "prod", "settings": settings})
}

#[test]
fn all_that_was_decided_is_shown() {
    let env = TestEnvironment::new();
    env.server.on("GET /fleet", fleet(settings(office())));
    assert_snapshot!(env.run(&["hosts:fleet"]), @"
    ZONE        HOSTS  MIN        MAX
    us-east-1a  2      1 (2 now)  3
    us-east-1b  0      1          3

    Types     m7g.large ($66.42 a month each), x9g.huge (of unknown price)
    Spot      on: tried before others
    Headroom  10 % of what replicas claim
    Patience  a host that is not needed stays for 10 min
    Boot      an instance has 5 min to become a host
    Replaced  6 hosts an hour at most
    Schedule  weekdays 8:00-20:00 Europe/Berlin: at least 2 in each zone; that is now
    Cost      $160.21 a month at least, $425.88 at most; the cap is $300.00
    ");
    let shown = env.run(&["hosts:fleet"]);
    for command in ["hosts:bounds", "hosts:types", "hosts:spot", "hosts:headroom", "hosts:patience"] {
        assert_eq!(env.run(&[command]), shown, "{command} without a wish");
    }
}

#[test]
fn without_a_fleet_each_command_says_how_hosts_come() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /fleet", json!({"source": "none", "name": null, "settings": null}))
        .on("GET /fleet/events?max=30", json!([]));
    for command in ["hosts:fleet", "hosts:bounds", "hosts:schedule", "aws:events"] {
        assert_eq!(
            env.run(&[command]),
            "--- stderr\nThis platform has no fleet; its hosts are added by `paasctl hosts:add`.\n",
            "{command}"
        );
    }
}

#[test]
fn before_anything_was_decided_it_says_who_will() {
    let env = TestEnvironment::new();
    env.server.on("GET /fleet", fleet(Value::Null));
    let shown = env.run(&["hosts:fleet"]);
    assert!(shown.contains("Nothing was decided about the fleet prod yet."), "{shown}");
}

#[test]
fn a_change_says_what_it_costs_before_it_is_made() {
    let env = TestEnvironment::new();
    let says = "The fleet costs $160.21 a month at least and $425.88 at most; it was $27.38 and $425.88.";
    env.server.on("POST /fleet/quote", json!({"says": says})).on("PATCH /fleet", settings(json!([])));
    assert_snapshot!(env.run(&["hosts:bounds", "us-east-1a", "--min", "1"]), @"
    --- stderr
    The fleet costs $160.21 a month at least and $425.88 at most; it was $27.38 and $425.88.
    us-east-1a has 1 host at least and 3 at most.
    ");
    let body = r#"{"max":null,"min":1,"replaced_per_hour":null,"zone":"us-east-1a"}"#;
    assert_eq!(env.server.asked(), [format!("POST /fleet/quote {body}"), format!("PATCH /fleet {body}")]);
}

#[test]
fn each_wish_is_sent_and_its_answer_said() {
    let env = TestEnvironment::new();
    env.server.on("POST /fleet/quote", json!({"says": null})).on("PATCH /fleet", settings(office()));
    assert_snapshot!(env.run(&["hosts:types", "m7g.large,x9g.huge=16:4"]), @"
    --- stderr
    New hosts are m7g.large, else x9g.huge.
    ");
    assert_snapshot!(env.run(&["hosts:spot", "on"]), @"
    --- stderr
    Spot instances are tried first.
    ");
    assert_snapshot!(env.run(&["hosts:headroom", "10"]), @"
    --- stderr
    Room for 10 % more than what runs is kept free.
    ");
    assert_snapshot!(env.run(&["hosts:bounds", "--replace-per-hour", "120"]), @"
    --- stderr
    No more than 120 hosts an hour will be replaced.
    ");
    assert_snapshot!(env.run(&["hosts:patience", "10m"]), @"
    --- stderr
    From now on a host that is not needed stays for 10 min.
    ");
    env.run(&["hosts:patience", "none"]);
    assert_snapshot!(env.run(&["hosts:patience", "--boot", "5m"]), @"
    --- stderr
    From now on an instance has 5 min to become a host.
    ");
    let schedule = ["hosts:schedule", "weekdays 8-20", "--min", "2", "--time-zone", "Europe/Berlin"];
    assert_snapshot!(env.run(&schedule), @"
    --- stderr
    weekdays 8:00-20:00 Europe/Berlin: at least 2 in each zone; that is now
    ");
    assert_snapshot!(env.run(&["hosts:unschedule", "weekends 8-20"]), @"
    --- stderr
    1 schedule is left.
    ");
    let sent: Vec<String> = env
        .server
        .asked()
        .into_iter()
        .filter_map(|line| Some(line.strip_prefix("PATCH /fleet ")?.to_owned()))
        .collect();
    assert_eq!(
        sent,
        [
            r#"{"types":["m7g.large","x9g.huge=16:4"]}"#,
            r#"{"spot":true}"#,
            r#"{"headroom_percent":10}"#,
            r#"{"max":null,"min":null,"replaced_per_hour":120,"zone":null}"#,
            r#"{"patience_seconds":600}"#,
            r#"{"patience_seconds":0}"#,
            r#"{"boot_seconds":300}"#,
            r#"{"schedule":{"min":2,"time_zone":"Europe/Berlin","when":"weekdays 8-20"}}"#,
            r#"{"unschedule":{"time_zone":null,"when":"weekends 8-20"}}"#,
        ]
    );
}

#[test]
fn schedules_are_listed_or_it_says_how_one_is_made() {
    let env = TestEnvironment::new();
    env.server.on("GET /fleet", fleet(settings(office()))).on("GET /fleet", fleet(settings(json!([]))));
    assert_snapshot!(env.run(&["hosts:schedule"]), @"weekdays 8:00-20:00 Europe/Berlin: at least 2 in each zone; that is now");
    assert_snapshot!(env.run(&["hosts:schedule"]), @r#"
    --- stderr
    There is no schedule: `paasctl hosts:schedule "weekdays 8-20" --min 2` makes one.
    "#);
}

#[test]
fn events_come_with_their_times_the_newest_last() {
    let env = TestEnvironment::new();
    let event = |second: u32, message: &str| json!({"at": format!("2026-01-05T11:55:0{second}.000Z"), "about": "i-0abc", "message": message});
    env.server
        .on(
            "GET /fleet/events?max=2",
            json!([event(2, "it\u{1b}[2J is ended"), event(0, "the cloud gave it")]),
        )
        .on("GET /fleet/events?max=30", json!([]))
        .on("GET /fleet", fleet(settings(json!([]))));
    assert_snapshot!(env.run(&["aws:events", "-n", "2"]), @"
    2026-01-05 11:55:00 UTC  i-0abc  the cloud gave it
    2026-01-05 11:55:02 UTC  i-0abc  it[2J is ended
    ");
    let json: Value = serde_json::from_str(&env.run(&["aws:events", "-n", "2", "--json"])).unwrap();
    assert_eq!(json[1]["message"], "it\u{1b}[2J is ended");
    assert_snapshot!(env.run(&["aws:events"]), @"
    --- stderr
    Nothing was done about instances in the last thirty days.
    ");
}

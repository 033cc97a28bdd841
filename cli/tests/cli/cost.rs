//! What the platform and its apps cost, caps, and what a change adds.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::environment::TestEnvironment;

fn platform(more: Value) -> Value {
    let mut cost = json!({
        "fleet": true, "prices": {"source": "AWS's public price list", "date": "2026-02-09"}, "unknown": null,
        "lines": [
            {"what": "load balancer", "count": 1, "each_per_month": 16.425, "per_month": 16.425},
            {"what": "host m7g.large", "count": 2, "each_per_month": 59.568, "per_month": 119.136},
        ],
        "per_month": 135.561,
        "apps": [
            {"name": "shop", "per_month": 17.856, "cap_per_month": 50.0},
            {"name": "blog", "per_month": 4.464, "cap_per_month": null},
        ],
        "committed_per_month": 93.793, "at_most_per_month": 625.137, "cap_per_month": 300.0,
    });
    cost.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cost
}

#[test]
fn the_bill_is_shown_with_the_shares_of_apps_and_what_is_decided() {
    let env = TestEnvironment::new();
    env.server.on("GET /cost", platform(json!({})));
    assert_snapshot!(env.run(&["cost"]), @"
    A MONTH  FOR
    $16.43   load balancer
    $119.14  2 × host m7g.large
    $135.56  in all, before traffic and what is stored

    APP   A MONTH  CAP
    shop  $17.86   $50.00
    blog  $4.46

    Decided: $93.79 a month, at most $625.14; the cap is $300.00.
    --- stderr
    Prices: AWS's public price list, 2026-02-09.
    ");
}

#[test]
fn what_is_not_known_is_said_and_what_is_known_is_shown() {
    let env = TestEnvironment::new();
    let unknown = json!({
        "unknown": "there is no price of x9.huge in us-east-1", "lines": null, "per_month": null,
        "committed_per_month": null, "at_most_per_month": null, "apps": [{"name": "shop"}],
    });
    env.server.on("GET /cost", platform(unknown));
    assert_snapshot!(env.run(&["cost"]), @"

    APP   A MONTH  CAP
    shop
    --- stderr
    What it costs is not known: there is no price of x9.huge in us-east-1. `paasd serve --prices FILE` takes a table.
    ");
}

#[test]
fn an_app_is_shown_by_process_type() {
    let env = TestEnvironment::new();
    let web = json!({"type": "web", "quantity": 4, "size": "Standard-1X", "per_month": 17.856});
    let cost = json!({
        "fleet": true, "app": "shop", "types": [web], "host_type": "m7g.large", "host_per_month": 66.418,
        "per_month": 17.856, "cap_per_month": 50.0,
    });
    env.server.on("GET /apps/shop/cost", cost);
    assert_snapshot!(env.run(&["cost", "shop"]), @"
    TYPE  QUANTITY  SIZE         A MONTH
    web   4         Standard-1X  $17.86

    $17.86 a month: shares of m7g.large at $66.42; the cap is $50.00.
    ");
}

#[test]
fn machines_of_ones_own_cost_what_they_cost() {
    let env = TestEnvironment::new();
    env.server.on("GET /cost", json!({"fleet": false})).on("GET /apps/shop/cost", json!({"fleet": false}));
    for arguments in [&["cost"][..], &["cost", "shop"], &["cost:cap"]] {
        assert!(env.run(arguments).contains("they cost what they cost"), "{arguments:?}");
    }
}

#[test]
fn a_cap_is_set_for_an_app_or_the_platform_and_taken_away() {
    let env = TestEnvironment::new();
    env.server
        .on("PATCH /cost", json!({"app": "shop", "cap_per_month": 50.0, "per_month": 17.856}))
        .on("PATCH /cost", json!({"app": null, "cap_per_month": 60.0, "per_month": 93.793}))
        .on("PATCH /cost", json!({"app": "shop", "cap_per_month": null, "per_month": null}));
    assert_snapshot!(env.run(&["cost:cap", "shop", "$50"]), @"
    --- stderr
    shop may cost $50.00 a month; it is at $17.86.
    ");
    assert_snapshot!(env.run(&["cost:cap", "60"]), @"
    --- stderr
    The platform may cost $60.00 a month. It is at $93.79: what runs goes on, and can only become less.
    ");
    assert_snapshot!(env.run(&["cost:cap", "shop", "none"]), @"
    --- stderr
    shop has no cap.
    ");
    let asked = [
        r#"PATCH /cost {"app":"shop","per_month":"$50"}"#,
        r#"PATCH /cost {"app":null,"per_month":"60"}"#,
        r#"PATCH /cost {"app":"shop","per_month":null}"#,
    ];
    assert_eq!(env.server.asked(), asked);
    assert_snapshot!(env.run(&["cost:cap", "shop"]), @"
    --- stderr
    Error: `shop` is no amount of dollars; one is 50 or 49.99
      Hint: `paasctl cost:cap shop 50` or `paasctl cost:cap shop none`.
    --- exit Some(2)
    ");
}

#[test]
fn caps_are_listed() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /cost", platform(json!({})))
        .on("GET /cost", platform(json!({"cap_per_month": null, "apps": []})));
    assert_snapshot!(env.run(&["cost:cap"]), @"
    The platform may cost $300.00 a month.
    shop may cost $50.00 a month.
    ");
    assert_snapshot!(env.run(&["cost:cap"]), @"
    --- stderr
    The platform has no cap; `paasctl cost:cap 300` sets one.
    ");
}

#[test]
fn scaling_says_what_it_adds_before_and_a_refusal_what_helps() {
    let env = TestEnvironment::new();
    let web = |size: &str| json!([{"type": "web", "quantity": 1, "observed": 1, "size": size, "command": "bin/web"}]);
    let hint = "ask for less, or have an administrator raise the cap: `paasctl cost:cap shop 18`";
    let refused = json!({"id": "cost_cap", "message": "shop would cost $17.86 a month, and its cap is $15.00", "hint": hint});
    env.server
        .on("GET /apps/shop/formation", web("Standard-1X"))
        .on("GET /apps/shop/dynos", json!([]))
        .on(
            "POST /apps/shop/cost/quote",
            json!({"says": "Adds $13.39 a month: the share of shop goes from $4.46 to $17.86."}),
        )
        .refuse("PATCH /apps/shop/formation", 409, refused);
    let shown = env.run(&["ps:scale", "web=4", "-a", "shop"]);
    assert_eq!(env.run(&["ps:type", "web=Standard-2X", "-a", "shop"]), shown);
    assert_snapshot!(shown, @"
    --- stderr
    Adds $13.39 a month: the share of shop goes from $4.46 to $17.86.
    Error: shop would cost $17.86 a month, and its cap is $15.00
      Hint: ask for less, or have an administrator raise the cap: `paasctl cost:cap shop 18`
    --- exit Some(1)
    ");
}

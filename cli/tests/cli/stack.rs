//! What an app is built on, and the deploy of an image that exists.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

fn app(stack: &str, next: &str) -> serde_json::Value {
    json!({ "name": "shop", "stack": { "id": "x", "name": stack }, "build_stack": { "id": "y", "name": next } })
}

#[test]
fn stacks_are_shown_with_what_takes_effect_later() {
    let env = TestEnvironment::new();
    env.server
        .on("GET /apps/shop", app("debian-12", "container"))
        .on("GET /apps/shop/available-stacks", json!([{ "name": "container" }, { "name": "debian-12" }]));
    assert_snapshot!(env.run(&["stack", "-a", "shop"]), @"
    * container
      debian-12
    --- stderr
    What serves is built on debian-12; container takes effect with the next push.
    ");
    assert!(env.run(&["apps:info", "-a", "shop"]).contains("debian-12 (container from the next push on)"));
}

#[test]
fn a_stack_is_set_for_the_next_push() {
    let env = TestEnvironment::new();
    env.server.on("PATCH /apps/shop", app("debian-12", "container"));
    assert_snapshot!(env.run(&["stack:set", "container", "-a", "shop"]), @"
    --- stderr
    The next push to shop is built on container.
    ");
    assert_eq!(env.server.asked(), [r#"PATCH /apps/shop {"build_stack":"container"}"#]);
}

#[test]
fn the_name_of_an_image_is_judged_before_anything_is_sent() {
    let env = TestEnvironment::new();
    let shown = env.run(&["deploy", "--image", "shop:v1\nRUN x", "-a", "shop"]);
    assert!(shown.contains("it is no name of an image") && shown.contains("exit Some(2)"), "{shown}");
    assert!(env.server.asked().is_empty());
}

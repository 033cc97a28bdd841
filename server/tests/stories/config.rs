//! Config vars on their way into an app, and a change that cannot boot.

use crate::platform::TestPlatform;

#[test]
fn config_vars_reach_the_app_as_they_are() {
    let platform = TestPlatform::start();
    let app = platform.app("vars");
    app.greets("one").deploy();
    let value = "first line\nsecond \"quoted\" 'line' $HOME `id` ünïcödé 🦀 \\n\ttab";
    let text = app.try_paasctl(&["config:set", &format!("PEM={value}"), "B=2"]);
    assert!(text.status.success(), "{}", crate::app::text(&text));
    assert_eq!(app.get("/env/PEM").body, value);
    assert_eq!(app.get("/env/B").body, "2");
    assert_eq!(app.paasctl(&["config:get", "PEM"]).trim_end_matches('\n'), value);
    let releases = app.json(&["releases"]);
    assert_eq!(releases.as_array().unwrap().len(), 2, "two vars are one release: {releases}");
    app.paasctl(&["config:unset", "B"]);
    assert_eq!(app.get("/env/B").body, "(unset)");
}

#[test]
fn a_change_that_cannot_boot_changes_nothing() {
    let platform = TestPlatform::start();
    let app = platform.app("picky");
    app.greets("one").deploy();
    app.paasctl(&["settings:set", "boot-seconds=3"]);
    let crowd = app.crowd();
    let refused = app.try_paasctl(&["config:set", "STATUS=503"]);
    let text = crate::app::text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("answers 503"), "{text}");
    crowd.assert_none_failed();
    assert_eq!(app.json(&["config"]), serde_json::json!({}));
}

#[test]
fn config_before_the_first_push_is_there_at_the_first_boot() {
    let platform = TestPlatform::start();
    let app = platform.app("early");
    app.paasctl(&["config:set", "COLOUR=red"]);
    app.greets("one").deploy();
    assert_eq!(app.get("/env/COLOUR").body, "red");
}

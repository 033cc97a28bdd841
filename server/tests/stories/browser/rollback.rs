//! Going back from the list of releases: what it will do is shown before it is done, and then each step of it.

use super::chromium::{Chromium, Look};
use crate::app::TestApp;
use crate::gate::Gate;
use crate::platform::TestPlatform;
use crate::wait;

/// An app with two releases. What runs the first waits at a gate before it answers.
fn shop(platform: &TestPlatform) -> (TestApp<'_>, Gate) {
    let app = platform.app("shop");
    let gate = Gate::new();
    let web = format!("web: {}; exec bin/web\n", gate.wait_here());
    app.greets("one").write("Procfile", &web).commit("Wait at the gate");
    let pusher = app.push_in_background();
    gate.open();
    let pushed = pusher.wait_with_output().unwrap();
    assert!(pushed.status.success(), "{}", crate::app::text(&pushed));
    app.greets("two").deploy();
    (app, gate)
}

#[test]
fn a_rollback_is_previewed_watched_and_serves() {
    let platform = TestPlatform::start();
    let (app, gate) = shop(&platform);
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    browser.open("/dashboard/apps/shop/releases").click("a[href$='/v1/rollback']");
    browser.wait_for_text("h2.title", "Roll back to v1?");
    assert!(browser.text("main").contains("Greet with two"), "{}", browser.text("main"));
    assert_eq!(app.json(&["releases"]).as_array().unwrap().len(), 2, "a preview changes nothing");
    browser.click("main button.primary").wait_for_text("#rollout", "v3").mark_page();
    assert_eq!(app.get("/").body, "two");
    gate.open();
    browser.wait_for_text("#releases .row", "serves");
    assert!(browser.text("#releases .row").contains("v3"), "{}", browser.text("#releases"));
    assert!(browser.is_the_same_page());
    assert_eq!(app.get("/").body, "one");
}

#[test]
fn a_rollback_works_without_scripts() {
    let platform = TestPlatform::start();
    let (app, gate) = shop(&platform);
    let browser = Chromium::of_admin(&platform, Look::WITHOUT_SCRIPTS);
    browser.open("/dashboard/apps/shop/builds").click("#builds a.row").wait_for_text("#build", "succeeded");
    assert!(browser.text("#found").contains("Procfile"), "{}", browser.text("#found"));
    browser.open("/dashboard/apps/shop/releases/v1").click("a[href$='/v1/rollback']");
    browser.wait_for_text("h2.title", "Roll back to v1?").click("main button.primary");
    browser.wait_for_text(".notice", "v3");
    gate.open();
    wait::until("the old text", || (app.get("/").body == "one").then_some(()));
    browser.open("/dashboard/apps/shop/releases/v3");
    assert!(browser.text("main").contains("Rollback to v1"), "{}", browser.text("main"));
}

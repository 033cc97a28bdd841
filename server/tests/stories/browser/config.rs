//! Config in a browser: names are there, values when asked for, which is noted, and many are set at once.

use super::chromium::{Chromium, Look};
use crate::platform::TestPlatform;

const PAGE: &str = "/dashboard/apps/shop/config";

#[test]
fn config_is_hidden_shown_pasted_and_removed() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("hello").deploy();
    app.paasctl(&["config:set", "SECRET=hunter2hunter2"]);
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    browser.open(PAGE);
    assert!(browser.text("main").contains("SECRET") && !browser.source().contains("hunter2"));
    browser.click("button[aria-label='Show the value of SECRET']");
    browser.wait_for("the value", "textarea[aria-label='Value of SECRET']");
    assert!(browser.source().contains("hunter2hunter2"));
    browser.open("/dashboard/apps/shop/activity");
    let latest = browser.text("#activity .row");
    assert!(latest.contains("SECRET") && latest.contains("reveal"), "{latest}");
    assert!(!browser.source().contains("hunter2"));
    browser.open(PAGE);
    assert!(!browser.source().contains("hunter2"), "it is shown once");

    browser.fill("text", "# of the shop\nCOLOUR=blue\nMOTTO='open all hours'\n");
    browser.click("form[action$='/config/paste'] button").wait_for_text("main .list", "MOTTO");
    crate::wait::until("the values to arrive", || {
        (app.get("/env/MOTTO").body == "open all hours").then_some(())
    });
    assert_eq!(app.get("/env/COLOUR").body, "blue");
    assert_eq!(app.json(&["releases"]).as_array().unwrap().len(), 3, "two vars are one release");

    browser.click("button[aria-label='Remove COLOUR']").wait_for_text(".notice", "COLOUR");
    assert!(!browser.text("main .list").contains("COLOUR"));
    crate::wait::until("it to go", || (app.get("/env/COLOUR").body == "(unset)").then_some(()));
}

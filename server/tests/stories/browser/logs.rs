//! The log as it is followed: a line comes by itself, is found, waits while the reader pauses, and has an address.

use super::chromium::{Chromium, Look};
use crate::platform::TestPlatform;

#[test]
fn a_log_is_followed_searched_and_paused_and_a_line_has_an_address() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("hello").deploy();
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    browser.open("/dashboard/apps/shop/logs").wait_for_text("#log-state", "Live").mark_page();
    app.get("/apples");
    browser.wait_for_content("#log-rows", "/apples");
    browser.type_into("#log-find input", "apples").wait_for_text("#log-find output", "1");
    assert_eq!(browser.count(".line.hit"), 1);

    browser.click("#log-pause").wait_for_text("#log-pause", "Resume");
    app.get("/pears");
    browser.wait_for_text("#log-pause", "waiting");
    assert!(!browser.content("#log-rows").contains("/pears"));
    browser.click("#log-pause").wait_for_content("#log-rows", "/pears");
    assert!(browser.is_the_same_page());

    browser.fill("q", "/pears").click(".filters button").wait_for_text("#log-state", "Live");
    assert_eq!(browser.count(".line"), 1, "{}", browser.content("#log-rows"));
    app.get("/apples?more");
    app.get("/pears?more");
    browser.wait_for_content("#log-rows", "/pears?more");
    assert!(!browser.content("#log-rows").contains("/apples"));

    browser.click(".line a").wait_for("the line", "#at");
    assert!(browser.content("#at").contains("/pears"));
    assert!(browser.content("#log-rows").contains("/apples"), "the line stands among its neighbours");
    let seen = "const line = document.querySelector('#at').getBoundingClientRect();
                const box = document.querySelector('#log-box').getBoundingClientRect();
                return line.height > 0 && line.top >= box.top && line.bottom <= box.bottom";
    assert_eq!(browser.evaluate(seen), true);
}

//! The dashboard in a real browser: what is seen without a reload, without scripts, on a phone, in the dark, and by who
//! cannot see.

mod chromium;
mod config;
mod logs;
mod pictures;
mod reader;
mod rollback;

use serde_json::Value;

use crate::platform::TestPlatform;
use crate::wait;
use chromium::{Chromium, Look};

/// The pages of an app called shop, and those beside.
const PAGES: [&str; 14] = [
    "/dashboard",
    "/dashboard/apps/shop",
    "/dashboard/apps/shop/releases",
    "/dashboard/apps/shop/releases/v2",
    "/dashboard/apps/shop/releases/diff?from=1&to=2",
    "/dashboard/apps/shop/releases/v1/rollback",
    "/dashboard/apps/shop/builds",
    "/dashboard/apps/shop/logs",
    "/dashboard/apps/shop/config",
    "/dashboard/apps/shop/settings",
    "/dashboard/apps/shop/activity",
    "/dashboard/activity",
    "/dashboard/platform",
    "/dashboard/account",
];

/// Deploys an app called shop that all pages have something of, and returns the pages, one of a build among them.
fn pages_of_shop(platform: &TestPlatform) -> Vec<String> {
    let app = platform.app("shop");
    app.greets("hello").deploy();
    app.paasctl(&["config:set", "COLOUR=blue"]);
    let builds = app.json(&["builds"]);
    let build = format!("/dashboard/apps/shop/builds/{}", builds[0]["id"].as_str().unwrap());
    PAGES.iter().map(|page| (*page).to_owned()).chain([build]).collect()
}

#[test]
fn a_first_deploy_is_watched_and_scaled_without_a_reload() {
    let platform = TestPlatform::start();
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    assert!(browser.text("main").contains("No apps yet"));
    let app = platform.app("shop");
    browser.wait_for_text("main", "not deployed");
    browser.open("/dashboard/apps/shop");
    assert!(browser.text("main").contains("Nothing deployed yet"));
    app.greets("hello").deploy();
    browser.wait_for_text("#replicas", "healthy");
    browser.evaluate("window.isTheSamePage = true");
    app.greeting("hello again").deploy();
    browser.wait_for_text("#releases", "v2");
    assert_eq!(browser.evaluate("return window.isTheSamePage"), true);
    browser.fill("quantity", "3").click("#formation button");
    browser.wait_for_text(".notice", "is scaled to 3");
    wait::until("three replicas", || (browser.count("#replicas article") == 3).then_some(()));
    wait::until("all of them healthy", || (browser.count("#replicas .healthy") == 3).then_some(()));
}

#[test]
fn everything_works_without_scripts() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("hello").deploy();
    let browser = Chromium::of_admin(&platform, Look::WITHOUT_SCRIPTS);
    browser.click("a.row[href$='/shop']").wait_for_text("#replicas", "web.1");
    browser.fill("quantity", "2").click("#formation button").wait_for_text(".notice", "is scaled to 2");
    wait::until("two replicas", || {
        browser.open("/dashboard/apps/shop");
        (browser.count("#replicas .healthy") == 2).then_some(())
    });
    browser.open("/dashboard/apps/shop/config").fill("name", "GREETING").fill("value", "good day");
    browser.click("form[action$='/config/set'] button").wait_for_text(".notice", "GREETING is set");
    wait::until("the release", || (app.json(&["releases"])[0]["current"] == true).then_some(()));
    browser.open("/dashboard/account").click(".who button").wait_for_text("h1", "Sign in");
}

#[test]
fn no_page_scrolls_sideways_on_a_phone() {
    let platform = TestPlatform::start();
    let pages = pages_of_shop(&platform);
    let axe = chromium::axe();
    let browser = Chromium::of_admin(&platform, Look::NARROW_AND_DARK);
    for page in pages {
        browser.open(&page);
        let widths = browser.evaluate("return [document.documentElement.scrollWidth, innerWidth]");
        assert!(widths[0].as_u64() <= widths[1].as_u64() && widths[1] == 360, "{page}: {widths}");
        assert_eq!(violations(&browser, &axe), Vec::<String>::new(), "{page}");
    }
}

#[test]
fn axe_finds_nothing_wrong_in_the_light_and_in_the_dark() {
    let platform = TestPlatform::start();
    let pages = pages_of_shop(&platform);
    let axe = chromium::axe();
    for look in [Look::USUAL, Look::DARK] {
        let browser = Chromium::of_admin(&platform, look);
        let dark = browser.evaluate("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, look.dark);
        for page in &pages {
            browser.open(page);
            assert_eq!(violations(&browser, &axe), Vec::<String>::new(), "{page}, dark: {}", look.dark);
        }
    }
    let stranger = Chromium::start(&platform, Look::USUAL);
    stranger.open("/dashboard/sign-in");
    assert_eq!(violations(&stranger, &axe), Vec::<String>::new());
}

/// Returns what axe objects to on the page: the rule, and where.
fn violations(browser: &Chromium, axe: &str) -> Vec<String> {
    browser.evaluate(axe);
    let found = browser.evaluate_async(
        "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations), error => done(String(error)))",
    );
    let words = |violation: &Value| {
        let node = &violation["nodes"][0];
        format!(
            "{}: {} at {} ({})",
            violation["id"], violation["help"], node["target"], node["failureSummary"]
        )
    };
    found.as_array().unwrap_or_else(|| panic!("{found}")).iter().map(words).collect()
}

#[test]
fn what_a_page_loads_is_small_and_ours() {
    let platform = TestPlatform::start();
    let pages = pages_of_shop(&platform);
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    for page in pages {
        browser.open(&page);
        let loaded = browser.evaluate(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
             .map(entry => [entry.name, entry.encodedBodySize])",
        );
        let loaded = loaded.as_array().unwrap();
        let ours = format!("http://{}/dashboard", platform.api);
        assert!(
            loaded.iter().all(|entry| entry[0].as_str().unwrap().starts_with(&ours)),
            "{page}: {loaded:?}"
        );
        let bytes: u64 = loaded.iter().map(|entry| entry[1].as_u64().unwrap()).sum();
        assert!((1..100_000).contains(&bytes), "{page}: {bytes} bytes, {loaded:?}");
    }
}

#[test]
fn a_refresh_keeps_the_focus() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("hello").deploy();
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    browser.open("/dashboard/apps/shop");
    browser.evaluate("document.querySelector('#releases a').focus(); window.isTheSamePage = true");
    let focus = "return document.activeElement.getAttribute('href')";
    assert_eq!(browser.evaluate(focus), "/dashboard/apps/shop/releases/v1");
    app.greeting("hello again").deploy();
    browser.wait_for_text("#releases", "v2");
    assert_eq!(browser.evaluate(focus), "/dashboard/apps/shop/releases/v1");
    assert_eq!(browser.evaluate("return window.isTheSamePage"), true);
}

#[test]
fn a_page_that_nobody_sees_holds_no_connection() {
    let platform = TestPlatform::start();
    let app = platform.app("shop");
    app.greets("hello").deploy();
    let browser = Chromium::of_admin(&platform, Look::USUAL);
    // More than the six connections that a browser has for a server.
    for _ in 0..10 {
        browser.open("/dashboard/apps/shop/logs").wait_for_text("#log-state", "Live");
        browser.new_tab();
    }
    browser.open("/dashboard/apps/shop").wait_for_text("#releases", "v1");
    browser.first_tab();
    app.get("/seen-again");
    browser.wait_for_content("#log-rows", "/seen-again");
}

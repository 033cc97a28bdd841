//! The dashboard without scripts: who gets in, what a form must have, and that nobody can do there what they may not.

use std::time::Duration;

use model::access::Scope;
use paasd::attempts::{Attempts, Budget};
use serde_json::json;

use crate::browser::{Browser, PASSWORD, encoded};
use crate::server::Server;

#[test]
fn the_first_visitor_sets_the_platform_up_with_the_administrators_token_and_only_once() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    assert_eq!(browser.get("/").header("location"), Some("/dashboard"));
    assert_eq!(browser.get("/dashboard").header("location"), Some("/dashboard/sign-in"));
    assert_eq!(browser.get("/dashboard/sign-in").header("location"), Some("/dashboard/set-up"));
    let set_up = |browser: &mut Browser<'_>, token: &str, password: &str, again: &str| {
        browser.post("/dashboard/set-up", &[("token", token), ("password", password), ("again", again)])
    };
    let (_, reader) = server.user("reader@example.org", Scope::Read);
    for (token, password, again, why) in [
        ("paas_wrong", PASSWORD, PASSWORD, "wrong, expired or revoked"),
        (reader.as_str(), PASSWORD, PASSWORD, "not an administrator"),
        (&server.admin, PASSWORD, "another password", "differ"),
        (&server.admin, "short", "short", "at least 12 characters"),
    ] {
        let reply = set_up(&mut browser, token, password, again);
        assert!(reply.status == 422 && reply.text.contains(why), "{why}: {}", reply.text);
        assert!(!reply.text.contains(token), "no secret comes back");
    }
    let mut browser = Browser::of_admin(&server);
    assert!(browser.get("/dashboard").text.contains("admin@localhost"));
    let mut second = Browser::new(&server);
    let reply = set_up(&mut second, &server.admin, "another password", "another password");
    assert_eq!(reply.header("location"), Some("/dashboard/sign-in"), "it is set up");
    assert_eq!(second.get("/dashboard").status, 303, "nobody was signed in by that");
}

#[test]
fn signing_in_leads_back_to_the_page_and_signing_out_ends_the_session() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    drop(Browser::of_admin(&server));
    let mut browser = Browser::new(&server);
    let reply = browser.get("/dashboard/apps/shop");
    assert_eq!(reply.header("location"), Some("/dashboard/sign-in?to=/apps/shop"));
    let wrong = [("email", "admin@localhost"), ("password", "wrong"), ("to", "/apps/shop")];
    let reply = browser.post("/dashboard/sign-in", &wrong);
    assert!(reply.status == 401 && reply.text.contains("is wrong"), "{}", reply.text);
    let right = [("email", "Admin@localhost "), ("password", PASSWORD), ("to", "/apps/shop")];
    let reply = browser.post("/dashboard/sign-in", &right);
    assert_eq!(reply.header("location"), Some("/dashboard/apps/shop"), "{}", reply.text);
    let cookie = reply.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let page = browser.get("/dashboard/apps/shop");
    assert!(page.status == 200 && page.text.contains("Nothing deployed yet"), "{}", page.text);
    browser.submit("/dashboard/sign-out", &[]);
    let stolen = cookie.split(';').next().unwrap();
    let reply = server.bare("GET", "/dashboard").header("cookie", stolen).send();
    assert_eq!(reply.status, 303, "the secret is good for nothing any more");
    assert_eq!(browser.get("/dashboard").status, 303);
}

#[test]
fn a_session_opens_the_pages_and_not_the_api() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    assert_eq!(browser.get("/dashboard").status, 200);
    assert_eq!(browser.get("/apps").status, 401, "a cookie would let forms of other sites call the API");
}

#[test]
fn a_form_of_another_site_or_session_changes_nothing() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    let mark = browser.mark();
    let form = |mark: &str| encoded(&[("name", "shop"), ("mark", mark)]);
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(browser.send("POST", "/dashboard/apps", Some(&form(&mark)), &foreign).status, 403);
    let foreign = [("origin", "https://evil.example.org")];
    assert_eq!(browser.send("POST", "/dashboard/apps", Some(&form(&mark)), &foreign).status, 403);
    let reply = browser.send("POST", "/dashboard/apps", Some(&form("0123")), &[]);
    assert!(reply.status == 403 && reply.text.contains("earlier session"), "{}", reply.text);
    assert_eq!(browser.post("/dashboard/apps", &[("name", "shop")]).status, 403, "no mark at all");
    let mut other = Browser::with_token(&server, &server.admin);
    assert_eq!(other.send("POST", "/dashboard/apps", Some(&form(&mark)), &[]).status, 403, "not its own");
    assert_eq!(server.get("/apps"), json!([]));
    let page = browser.submit("/dashboard/apps", &[("name", "shop")]);
    assert!(page.text.contains("Created shop."), "{}", page.text);
    assert!(!browser.get("/dashboard/apps/shop").text.contains("Created shop."), "it is said once");
    assert_eq!(server.get("/activity")[0]["action"], "app.create");
}

#[test]
fn who_may_only_look_has_no_buttons_and_no_success_without_them() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let app = server.app("shop");
    server.deploy(&app, "a");
    let (reader, token) = server.user("reader@example.org", Scope::Write);
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    drop(Browser::of_admin(&server));
    let mut browser = Browser::with_token(&server, &token);
    let page = browser.get("/dashboard/apps/shop");
    assert!(page.status == 200 && page.text.contains("Formation"), "{}", page.text);
    assert!(!page.text.contains("/scale") && !page.text.contains("/restart"), "{}", page.text);
    let before = server.get("/apps/shop/formation");
    let page = browser.submit("/dashboard/apps/shop/scale", &[("type", "web"), ("quantity", "9")]);
    assert!(page.text.contains("not to change it"), "{}", page.text);
    browser.submit("/dashboard/apps/shop/restart", &[]);
    assert_eq!(server.get("/apps/shop/formation"), before);
    let mut browser = Browser::with_token(&server, &stranger);
    assert_eq!(browser.get("/dashboard/apps/shop").status, 404, "a stranger does not learn that it is there");
    assert!(!browser.get("/dashboard").text.contains("shop"));
}

#[test]
fn what_is_odd_is_refused_and_shown_as_text() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    let page = browser.submit("/dashboard/apps", &[("name", "<script>alert(1)</script>")]);
    assert!(page.text.contains("notice bad") && !page.text.contains("<script>alert"), "{}", page.text);
    for path in
        ["/dashboard/apps/..%2faccount", "/dashboard/apps/a%3fb", "/dashboard/apps/%ff", "/dashboard/nope"]
    {
        let reply = browser.get(path);
        assert!(reply.status == 404 || reply.status == 400, "{path}: {}", reply.status);
    }
    let huge = format!("mark=x&name={}", "a".repeat(2_000_000));
    assert_eq!(browser.send("POST", "/dashboard/apps", Some(&huge), &[]).status, 413);
}

#[test]
fn every_page_keeps_the_browser_on_our_side() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    for path in ["/dashboard", "/dashboard/account", "/dashboard/nope"] {
        let reply = browser.get(path);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        for inline in [" style=", "<style", " onclick=", "<script>"] {
            assert!(!reply.text.contains(inline), "{path}: {inline} does nothing under the policy");
        }
    }
    let page = browser.get("/dashboard").text;
    let style =
        page.split("href=\"").find(|part| part.contains("app.css")).unwrap().split('"').next().unwrap();
    let reply = browser.get(style);
    assert!(reply.header("cache-control").unwrap().contains("immutable"), "{style}");
    let old = browser.get("/dashboard/static/000000000000/app.css");
    assert_eq!((old.status, old.header("cache-control")), (200, Some("no-cache")));
}

#[test]
fn a_new_password_signs_all_other_browsers_out() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    let mut other = Browser::with_token(&server, &server.admin);
    let change = |browser: &mut Browser<'_>, current: &str, password: &str| {
        let fields = [("current", current), ("password", password), ("again", password)];
        browser.submit("/dashboard/account/password", &fields).text
    };
    assert!(change(&mut browser, "wrong", "a new long password").contains("present password is wrong"));
    assert!(change(&mut browser, PASSWORD, "short").contains("at least 12 characters"));
    assert!(change(&mut browser, PASSWORD, "a new long password").contains("The password is set"));
    assert_eq!(other.get("/dashboard").status, 303);
    let mut other = Browser::new(&server);
    let signs_in = |browser: &mut Browser<'_>, password: &str| {
        browser.post("/dashboard/sign-in", &[("email", "admin@localhost"), ("password", password)]).status
    };
    assert_eq!(signs_in(&mut other, PASSWORD), 401);
    assert_eq!(signs_in(&mut other, "a new long password"), 303);
    let page = browser.get("/dashboard/account").text;
    let id = page.split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    browser.submit("/dashboard/account/sessions/end", &[("session", id)]);
    assert_eq!(other.get("/dashboard").status, 303);
    assert_eq!(browser.get("/dashboard").status, 200);
}

#[test]
fn who_guesses_passwords_is_made_to_wait_before_they_are_looked_at() {
    let few = Budget { failures: 3, forgiven_after: Duration::from_secs(3_600) };
    let server = Server::start_with(Attempts::new(few, few));
    drop(Browser::of_admin(&server));
    let mut browser = Browser::new(&server);
    let mut sign_in = |password: &str| {
        browser.post("/dashboard/sign-in", &[("email", "admin@localhost"), ("password", password)])
    };
    for _ in 0..3 {
        assert!(sign_in("wrong").text.contains("is wrong"));
    }
    let reply = sign_in(PASSWORD);
    assert!(reply.status == 401 && reply.text.contains("Too many attempts failed"), "{}", reply.text);
    drop(Browser::with_token(&server, &server.admin));
}

#[test]
fn an_administrator_adds_a_user_who_signs_in_with_a_token_shown_once() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    let page =
        browser.submit("/dashboard/platform/users", &[("email", "Ann@Example.org"), ("scope", "write")]);
    let token = page.text.split("<code>").find(|part| part.starts_with("paas_")).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(!browser.get("/dashboard/platform").text.contains(&token), "it is shown once");
    let page = browser.submit("/dashboard/platform/users", &[("email", "nobody"), ("scope", "write")]);
    assert!(page.text.contains("looks like ann@example.org"), "{}", page.text);
    let mut ann = Browser::with_token(&server, &token);
    assert!(ann.get("/dashboard").text.contains("ann@example.org"));
    for page in ["/dashboard/platform", "/dashboard/activity"] {
        assert_eq!(ann.get(page).status, 403, "{page} is for administrators");
    }
    assert!(
        ann.submit("/dashboard/platform/users", &[("email", "eve@example.org"), ("scope", "admin")])
            .text
            .contains("only administrators")
    );
    browser.submit("/dashboard/platform/users/disable", &[("email", "ann@example.org")]);
    assert_eq!(ann.get("/dashboard").status, 303, "the session ends with the user");
    let page = browser.get("/dashboard/activity").text;
    for action in ["user.create", "token.create", "user.disable", "session.create"] {
        assert!(page.contains(action), "{action}: {page}");
    }
}

#[test]
fn tokens_are_made_and_revoked_and_none_leads_to_more_than_it_may() {
    let server = Server::start();
    let mut browser = Browser::of_admin(&server);
    let make = |browser: &mut Browser<'_>, scope: &str| {
        let fields = [("name", "monitoring"), ("scope", scope), ("days", "30")];
        browser.submit("/dashboard/account/tokens", &fields).text
    };
    let page = make(&mut browser, "read");
    let token = page.split("<code>").find(|part| part.starts_with("paas_")).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(page.contains("read, until 2"), "{page}");
    assert!(!browser.get("/dashboard/account").text.contains(&token), "it is shown once");
    let mut reader = Browser::with_token(&server, &token);
    assert!(!make(&mut reader, "admin").contains("paas_"), "a token makes none that may do more");
    let fields =
        [("current", PASSWORD), ("password", "a new long password"), ("again", "a new long password")];
    let page = reader.submit("/dashboard/account/password", &fields).text;
    assert!(page.contains("a token of the scope read"), "{page}");
    let page = make(&mut browser, "admin");
    let ends = page.split("<code>").find(|part| part.starts_with("paas_")).unwrap();
    let mut passing = Browser::with_token(&server, ends.split('<').next().unwrap());
    let page = passing.submit("/dashboard/account/password", &fields).text;
    assert!(page.contains("a token that ends"), "a password has no end: {page}");
    let page = passing.submit("/dashboard/account/tokens", &[("name", "x"), ("scope", "read"), ("days", "")]);
    assert!(page.text.contains("x</strong><small>read, until 2"), "{}", page.text);
    let id = browser.get("/dashboard/account").text;
    let of_it = id.split("<strong>monitoring</strong><small>read").nth(1).unwrap();
    let id = of_it.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page =
        browser.submit("/dashboard/account/tokens/revoke", &[("token", &id), ("name", "monitoring")]).text;
    assert!(page.contains("works no more"), "{page}");
    assert_eq!(server.bare("GET", "/apps").token(&token).send().status, 401);
}

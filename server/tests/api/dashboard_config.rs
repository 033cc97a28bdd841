//! The config and settings pages: what is shown to whom, what a change does, what is noted of it.

use model::access::Scope;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::Server;

const SENTINEL: &str = "s3cret-value";

/// A server with an app that has config, its owner's browser, and that of somebody who may only look.
fn shop(server: &Server) -> (Browser<'_>, Browser<'_>) {
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let app = server.app("shop");
    server.deploy(&app, "a");
    let vars = json!({ "SECRET": SENTINEL, "BYTES": { "base64": "/wE=" } });
    server.ask("PATCH", "/apps/shop/config-vars").body(vars).expect(200);
    let (reader, token) = server.user("reader@example.org", Scope::Write);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    (Browser::of_admin(server), Browser::with_token(server, &token))
}

fn actions(server: &Server) -> Vec<String> {
    let rows = server.get("/apps/shop/activity");
    let action = |row: &Value| row["action"].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(action).collect()
}

#[test]
fn values_are_shown_when_asked_for_and_each_time_is_noted() {
    let server = Server::start();
    let (mut owner, mut reader) = shop(&server);
    let page = owner.get("/dashboard/apps/shop/config").text;
    assert!(page.contains("SECRET") && page.contains("BYTES") && !page.contains(SENTINEL), "{page}");
    let page = owner.submit("/dashboard/apps/shop/config/reveal", &[("name", "BYTES")]).text;
    assert!(page.contains("\\xff\u{1}") && !page.contains(SENTINEL), "{page}");
    let page = owner.submit("/dashboard/apps/shop/config/reveal", &[]).text;
    assert!(page.contains(SENTINEL), "{page}");
    let noted = &server.get("/apps/shop/activity")[0];
    assert_eq!(
        (&noted["action"], &noted["detail"]["names"]),
        (&json!("config.reveal"), &json!(["BYTES", "SECRET"]))
    );
    assert_eq!(actions(&server)[1], "config.reveal");
    let page = reader.get("/dashboard/apps/shop/config").text;
    assert!(page.contains("SECRET") && !page.contains("/config/reveal"), "{page}");
    let refused = reader.submit("/dashboard/apps/shop/config/reveal", &[("name", "SECRET")]);
    assert!(refused.status == 403 && !refused.text.contains(SENTINEL), "{}", refused.text);
    for page in ["/dashboard/activity", "/dashboard/apps/shop/activity"] {
        assert!(!owner.get(page).text.contains(SENTINEL), "{page}");
    }
}

#[test]
fn config_is_set_removed_and_pasted_and_what_cannot_be_read_is_not_lost() {
    let server = Server::start();
    let (mut owner, mut reader) = shop(&server);
    let set = [("name", "GREETING"), ("value", "two\r\nlines")];
    let page = owner.submit("/dashboard/apps/shop/config/set", &set).text;
    assert!(page.contains("GREETING is set"), "{page}");
    assert_eq!(server.get("/apps/shop/config-vars")["GREETING"], "two\nlines");
    owner.submit("/dashboard/apps/shop/config/unset", &[("name", "SECRET")]);
    owner.submit("/dashboard/apps/shop/config/paste", &[("text", "# one\r\nA=1\r\nB='x y'\r\n")]);
    let vars = json!({ "A": "1", "B": "x y", "BYTES": { "base64": "/wE=" }, "GREETING": "two\nlines" });
    assert_eq!(server.get("/apps/shop/config-vars"), vars);
    for (text, why) in [("C=1\nD=x y\n", "line 2"), ("PORT=1\n", "PORT"), ("# nothing\n", "nothing to set")] {
        let page = owner.submit("/dashboard/apps/shop/config/paste", &[("text", text)]);
        let kept = text.trim_end().split('\n').all(|line| page.text.contains(line));
        assert!(page.text.contains(why) && kept, "{why}: {}", page.text);
    }
    for (path, form) in [
        ("/dashboard/apps/shop/config/set", [("name", "A"), ("value", "2")]),
        ("/dashboard/apps/shop/config/unset", [("name", "A"), ("value", "")]),
        ("/dashboard/apps/shop/config/paste", [("text", "A=2"), ("value", "")]),
    ] {
        reader.submit(path, &form);
    }
    assert_eq!(server.get("/apps/shop/config-vars"), vars);
}

#[test]
fn settings_are_changed_by_name_and_refused_in_words() {
    let server = Server::start();
    let (mut owner, mut reader) = shop(&server);
    let path = "/dashboard/apps/shop/settings";
    let page = owner.get(path).text;
    assert!(page.contains("Time to drain") && page.contains("Danger zone"), "{page}");
    let page = owner.submit(path, &[("/drain_seconds", "7"), ("/health/path", "/up")]).text;
    assert!(page.contains("Changed: drain seconds, health."), "{page}");
    let settings = server.get("/apps/shop/settings");
    assert_eq!((&settings["drain_seconds"], &settings["health"]["path"]), (&json!(7), &json!("/up")));
    let page = owner.submit(path, &[("/drain_seconds", "99999")]).text;
    assert!(page.contains("is between 0 and 3600 seconds"), "{page}");
    assert!(!reader.get(path).text.contains("Danger zone"));
    reader.submit(path, &[("/drain_seconds", "9")]);
    reader.submit("/dashboard/apps/shop/maintenance", &[("on", "true")]);
    reader.submit("/dashboard/apps/shop/rename", &[("name", "stolen")]);
    reader.submit("/dashboard/apps/shop/domains/add", &[("hostname", "evil.example.org")]);
    reader.submit(
        "/dashboard/apps/shop/collaborators/add",
        &[("email", "reader@example.org"), ("scope", "write")],
    );
    reader.submit("/dashboard/apps/shop/pins/upgrade", &[]);
    reader.submit("/dashboard/apps/shop/destroy", &[("name", "shop")]);
    assert_eq!(actions(&server)[0], "settings.change", "a reader changed nothing");
}

#[test]
fn domains_people_and_the_app_itself_are_changed_where_its_owner_asks() {
    let server = Server::start();
    let (mut owner, mut reader) = shop(&server);
    let settings = "/dashboard/apps/shop/settings";
    let page = owner.submit("/dashboard/apps/shop/domains/add", &[("hostname", "www.example.org")]).text;
    assert!(page.contains("as soon as its DNS leads here"), "{page}");
    let id = page.split("name=\"domain\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let form = [("domain", id.as_str()), ("hostname", "www.example.org")];
    assert!(owner.submit("/dashboard/apps/shop/domains/remove", &form).text.contains("leads here no more"));
    owner.submit("/dashboard/apps/shop/collaborators/remove", &[("email", "reader@example.org")]);
    assert_eq!(reader.get(settings).status, 404);
    let form = [("email", "nobody@example.org"), ("scope", "read")];
    assert!(owner.submit("/dashboard/apps/shop/collaborators/add", &form).text.contains("there is no user"));
    owner.submit(
        "/dashboard/apps/shop/collaborators/add",
        &[("email", "reader@example.org"), ("scope", "read")],
    );
    assert_eq!(reader.get(settings).status, 200);
    owner.submit("/dashboard/apps/shop/maintenance", &[("on", "true")]);
    assert_eq!(server.get("/apps/shop")["maintenance"], true);
    let page = owner.submit("/dashboard/apps/shop/rename", &[("name", "store")]).text;
    assert!(page.contains("is called store now"), "{page}");
    let page = owner.submit("/dashboard/apps/store/destroy", &[("name", "shop")]).text;
    assert!(page.contains("nothing was destroyed"), "{page}");
    let page = owner.submit("/dashboard/apps/store/destroy", &[("name", "store")]).text;
    assert!(page.contains("store is destroyed"), "{page}");
    assert_eq!(server.get("/apps"), json!([]));
}

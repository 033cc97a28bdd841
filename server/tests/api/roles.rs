//! Every route that changes something, with every role: who may not is refused and changes nothing, and who may leaves
//! exactly one row in the audit trail. A route that is added without an example here fails the test.

use axum::http::Method;
use model::access::Scope;
use model::name::ProcessType;
use model::plan::ReplicaWish;
use model::size::Size;
use paasd::api::{Needs, Route, routes};
use serde_json::{Value, json};
use store::{App, NewReplica};
use tar::EntryType;

use crate::server::Server;
use crate::sources;

/// Signing out of sessions that do not exist is refused to all.
const NEVER_SUCCEEDS: &str = "/oauth/sessions/{session}";

/// An app of Ann's with something in it for each route, and people who may do more or less with it.
struct World {
    server: Server,
    build: String,
    operation: String,
    one_off: String,
    token: String,
    source: Value,
    people: Vec<Person>,
}

#[derive(Clone)]
struct Person {
    who: &'static str,
    secret: String,
    /// How far they may go with the app, if they may know of it.
    app: Option<Needs>,
    /// How far they may go elsewhere.
    elsewhere: Needs,
}

impl World {
    fn new() -> Self {
        let server = Server::start_on_fleet();
        let mut people = Vec::new();
        let mut person = |who, email, scope, app, elsewhere| {
            let (user, secret) = server.user(email, scope);
            people.push(Person { who, secret, app, elsewhere });
            user
        };
        let ann = |scope| ("ann@example.org", scope);
        let (email, scope) = ann(Scope::Write);
        person("the owner", email, scope, Some(Needs::Own), Needs::Write);
        let (email, scope) = ann(Scope::Read);
        person("the owner with a token to read", email, scope, Some(Needs::Read), Needs::Read);
        person("a stranger", "stranger@example.org", Scope::Write, None, Needs::Write);
        let reads =
            person("who may look", "reads@example.org", Scope::Write, Some(Needs::Read), Needs::Write);
        let writes =
            person("who may change", "writes@example.org", Scope::Write, Some(Needs::Write), Needs::Write);
        let owner = people[0].secret.clone();
        let ask = |method: &str, path: &str| server.bare(method, path).token(&owner);
        ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
        let app = server.app("shop");
        server.run(async {
            let mut tx = server.platform.store.write().await.unwrap();
            store::set_collaborator(&mut tx, app.id, reads.id, Scope::Read).await.unwrap();
            store::set_collaborator(&mut tx, app.id, writes.id, Scope::Write).await.unwrap();
            store::create_host(&mut tx, "spare-host", "a", "fingerprint").await.unwrap();
            tx.commit().await.unwrap();
        });
        server.user("spare@example.org", Scope::Write);
        server.deploy(&app, "a");
        server.deploy(&app, "b");
        ask("POST", "/apps/shop/domains").body(json!({ "hostname": "a.example.org" })).expect(201);
        run_web(&server, &app);
        let file = [("./Procfile", EntryType::Regular, 0o644, "web: ./serve\n")];
        let build = ask("POST", "/apps/shop/builds").body(sources::upload(&server, sources::archive(&file)));
        let build = text(&build.expect(201)["id"]);
        let one_off = ask("POST", "/apps/shop/dynos").body(json!({ "command": "true" })).expect(201);
        let token = ask("POST", "/oauth/authorizations").body(json!({ "description": "spare" })).expect(201);
        let operation = ask("DELETE", "/apps/shop/dynos").expect(202);
        let source = sources::upload(&server, sources::archive(&file));
        let (operation, one_off, token) =
            (text(&operation["operation"]), text(&one_off["name"]), text(&token["id"]));
        Self { server, build, operation, one_off, token, source, people }
    }

    /// Returns a request for the route that succeeds for who may make it: its path and body.
    fn example(&self, route: &Route) -> Option<(String, Value)> {
        let nothing = || json!({});
        let body = match (route.method.as_str(), route.path) {
            ("PATCH", "/fleet") => json!({ "spot": true }),
            ("PATCH", "/cost") => json!({ "per_month": 500 }),
            ("POST", "/hosts") => json!({ "zone": "b" }),
            ("POST", "/collection") => nothing(),
            ("POST", "/users") => json!({ "email": "new@example.org" }),
            ("POST", "/oauth/authorizations") => json!({ "description": "another" }),
            ("POST", "/apps") => json!({ "name": "another" }),
            ("PATCH", "/apps/{app}") => json!({ "maintenance": true }),
            ("PATCH", "/apps/{app}/config-vars") => json!({ "A": "1" }),
            ("POST", "/apps/{app}/config-vars/actions/reveal") => json!({ "names": ["A"] }),
            ("PATCH", "/apps/{app}/settings") => json!({ "stop_seconds": 7 }),
            ("POST", "/apps/{app}/collaborators") => json!({ "user": "spare@example.org" }),
            ("POST", "/apps/{app}/domains") => json!({ "hostname": "b.example.org" }),
            ("PATCH", "/apps/{app}/domains/{domain}") => json!({ "sni_endpoint": null }),
            ("POST", "/apps/{app}/releases") => json!({ "release": "v1" }),
            ("POST", "/apps/{app}/builds") => self.source.clone(),
            ("PATCH", "/apps/{app}/formation") => json!({ "updates": [{ "type": "web", "quantity": 2 }] }),
            ("PATCH", "/apps/{app}/formation/{process}") => json!({ "quantity": 3 }),
            ("POST", "/apps/{app}/dynos") => json!({ "command": "true" }),
            (_, path) if path.ends_with("/actions/cancel") || path.ends_with("/actions/upgrade") => nothing(),
            (_, path) if path.ends_with("/actions/stop") => nothing(),
            (_, path) if path.starts_with("/hosts/{host}/actions/") => nothing(),
            ("DELETE", _) => nothing(),
            _ => return None,
        };
        // A process that runs once may be there.
        let force = if route.path == "/hosts/{host}" { "?force=true" } else { "" };
        Some((self.path(route)? + force, body))
    }

    fn path(&self, route: &Route) -> Option<String> {
        let stops = route.path.ends_with("/actions/stop");
        let part = |part| {
            Some(match part {
                "{app}" => "shop",
                "{user}" => "spare@example.org",
                "{collaborator}" => "writes@example.org",
                "{authorization}" => &self.token,
                "{domain}" => "a.example.org",
                "{build}" => &self.build,
                "{operation}" => &self.operation,
                "{process}" if stops => self.one_off.split('.').next()?,
                "{dyno}" if stops => &self.one_off,
                "{process}" => "web",
                "{dyno}" => "web.1",
                "{session}" => "none",
                "{host}" => "spare-host",
                part if part.starts_with('{') => return None,
                part => part,
            })
        };
        route.path.split('/').map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
    }

    fn rows(&self) -> Vec<String> {
        let rows = self.server.get("/activity?max=1000");
        rows.as_array().unwrap().iter().map(|row| text(&row["action"])).collect()
    }
}

/// Makes the row of a replica, as the reconcile loop does.
fn run_web(server: &Server, app: &App) {
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        let host = store::ensure_host(&mut tx, "here", "local").await.unwrap();
        let serving = store::find_app_by_id(&mut tx, app.id).await.unwrap().unwrap().serving.unwrap();
        let replica = NewReplica {
            app: app.id,
            version: serving.version,
            generation: serving.generation,
            process: ProcessType::web(),
            number: 1,
            host: host.id,
            wish: ReplicaWish::Run,
            command: None,
            size: Size::default(),
            operation: None,
        };
        store::create_replica(&mut tx, replica).await.unwrap();
        tx.commit().await.unwrap();
    });
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Returns what somebody who may not use the route is told; nothing for who may.
fn refusal(person: &Person, route: &Route) -> Option<u16> {
    match (route.path.contains("{app}"), person.app) {
        (true, None) => Some(404),
        (true, Some(app)) => (app < route.needs).then_some(403),
        // A token that is not one's own is none.
        (false, _) if route.path.ends_with("{authorization}") => match person.who.starts_with("the owner") {
            true => (person.elsewhere < Needs::Write).then_some(403),
            false => Some(404),
        },
        (false, _) => (person.elsewhere < route.needs).then_some(403),
    }
}

#[test]
fn every_change_is_refused_to_who_may_not_and_noted_once_for_who_may() {
    for route in routes().iter().filter(|route| route.method != Method::GET && route.action.is_some()) {
        let world = World::new();
        let what = format!("{} {}", route.method, route.path);
        let Some((path, body)) = world.example(route) else {
            panic!("{what} has no example here: add one, so that its roles and its audit row are tested");
        };
        let ask = || world.server.bare(route.method.as_str(), &path).body(&body);
        let before = world.rows();
        assert_eq!(ask().send().status, 401, "without a token: {what}");
        assert_eq!(ask().token("paas_wrong").send().status, 401, "with a wrong token: {what}");
        let may_not = world.people.iter().filter_map(|person| Some((person, refusal(person, route)?)));
        for (person, status) in may_not {
            let reply = ask().token(&person.secret).send();
            assert_eq!(reply.status, status, "{}: {what}: {}", person.who, reply.text);
        }
        assert_eq!(world.rows(), before, "what is refused leaves no row: {what}");
        if route.path == NEVER_SUCCEEDS {
            continue;
        }
        // The least of those who may: more than that is not needed.
        let may = world.people.iter().rev().find(|person| refusal(person, route).is_none());
        let secret = may.map_or(&world.server.admin, |person| &person.secret);
        let reply = ask().token(secret).send();
        assert!((200..300).contains(&reply.status), "{what}: {} {}", reply.status, reply.text);
        let mut expected = before.clone();
        expected.insert(0, route.action.unwrap().to_owned());
        assert_eq!(world.rows(), expected, "one row: {what}");
    }
}

#[test]
fn what_needs_nobody_or_notes_nothing_is_written_down_here() {
    let table = routes();
    let list = |keep: fn(&&Route) -> bool| -> Vec<String> {
        table.iter().filter(keep).map(|route| format!("{} {}", route.method, route.path)).collect()
    };
    let open = list(|route| route.needs == Needs::Nobody);
    let expected = [
        "GET /health",
        "GET /api/v4/current-status",
        "GET /streams/logs/{capability}",
        "GET /streams/build-output/{capability}",
        "GET /streams/release-output/{capability}",
        "GET /streams/source/{capability}",
        "PUT /streams/source/{capability}",
    ];
    assert_eq!(open, expected, "a route that needs nobody is a decision: write it down here, too");
    let unnoted = list(|route| route.method != Method::GET && route.action.is_none());
    let expected = [
        "POST /sources",
        "POST /apps/{app}/sources",
        "POST /fleet/quote",
        "POST /apps/{app}/cost/quote",
        "POST /apps/{app}/log-sessions",
        "PUT /streams/source/{capability}",
    ];
    assert_eq!(unnoted, expected, "a route that changes something without a row is a decision");
}

//! Operations over all apps: who sees which, and what they say.

use model::access::Scope;
use serde_json::json;

use crate::server::Server;

#[test]
fn one_sees_those_of_ones_own_apps_and_an_administrator_all() {
    let server = Server::start();
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server.deploy(&server.app("shop"), "a");
    let restart = server.ask("DELETE", "/apps/shop/dynos").expect(202)["operation"].clone();
    let active = server.get("/operations?state=active");
    let first = &active[0];
    assert_eq!(
        (&first["id"], &first["app"]["name"], &first["kind"]),
        (&restart, &json!("shop"), &json!("restart"))
    );
    assert!(first["deadline"].is_string() && first["user"]["email"].is_string(), "{first}");
    assert_eq!(active.as_array().unwrap().len(), 1);
    assert_eq!(server.get("/apps/shop/operations?max=1&state=active"), active);
    assert_eq!(server.bare("GET", "/operations").token(&stranger).expect(200), json!([]));
    server.ask("GET", "/operations?state=bogus").expect(422);
    server.ask("GET", "/operations?max=many").expect(422);
}

//! Apps and their domains: listed page after page, shown, made, destroyed only by name, put into maintenance.

use insta::assert_snapshot;
use serde_json::json;

use crate::environment::TestEnvironment;

fn shop() -> serde_json::Value {
    json!({
        "id": "0190a1b2-c3d4-7000-8000-000000000001", "name": "shop", "web_url": "http://shop.localhost:8080",
        "owner": {"id": "x", "email": "ada@example.com"}, "stack": {"id": "x", "name": "debian-12"},
        "maintenance": false, "created_at": "2026-01-02T03:04:05Z", "released_at": "2026-01-05T11:55:00Z",
        "repo_size": null, "slug_size": 47_000_000,
    })
}

#[test]
fn apps_are_listed_page_after_page() {
    let env = TestEnvironment::new();
    let blog = json!([{"name": "blog", "web_url": "http://blog.localhost:8080", "maintenance": true}]);
    let next = [("Next-Range", "name ]blog..; max=1")];
    env.server.answer("GET /apps", 206, &next, &blog.to_string()).on("GET /apps", json!([shop()]));
    assert_snapshot!(env.run(&["apps"]), @"
    NAME  ADDRESS                     LAST RELEASE
    blog  http://blog.localhost:8080  (maintenance)
    shop  http://shop.localhost:8080  5 min ago
    ");
    let ranges: Vec<_> =
        env.server.requests().iter().map(|asked| asked.headers.get("range").cloned()).collect();
    assert_eq!(ranges, [None, Some("name ]blog..; max=1".to_owned())]);
}

#[test]
fn without_apps_it_says_what_to_do_and_json_stays_json() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps", json!([]));
    assert_snapshot!(env.run(&["apps"]), @"
    --- stderr
    There are no apps yet. `paasctl apps:create NAME` makes one.
    ");
    assert_snapshot!(env.run(&["apps", "--json"]), @"[]");
}

#[test]
fn an_app_is_shown_in_detail() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop", shop());
    assert_snapshot!(env.run(&["info", "-a", "shop"]), @"
    Name          shop
    Address       http://shop.localhost:8080
    Git           http://SERVER/shop.git
    Owner         ada@example.com
    Stack         debian-12
    Slug          47.0 MB
    Created       2026-01-02 03:04:05 UTC (3 days ago)
    Last release  2026-01-05 11:55:00 UTC (5 min ago)
    Maintenance   off
    ");
    let json: serde_json::Value =
        serde_json::from_str(&env.run(&["apps:info", "-a", "shop", "--json"])).unwrap();
    assert_eq!(json, shop());
}

#[test]
fn outside_a_repository_creating_an_app_says_how_to_push() {
    let env = TestEnvironment::new();
    env.server.on("POST /apps", shop());
    assert_snapshot!(env.run(&["create", "shop"]), @"
    http://shop.localhost:8080
    --- stderr
    Created shop.
    Next: in a git repository, `paasctl git:remote -a shop`, then push.
    ");
    assert_eq!(env.server.asked(), [r#"POST /apps {"name":"shop"}"#]);
}

#[test]
fn destroying_needs_the_name_once_more() {
    let env = TestEnvironment::new();
    env.server.on("GET /apps/shop", shop()).on("DELETE /apps/shop", shop());
    assert_snapshot!(env.run(&["destroy", "-a", "shop"]), @"
    --- stderr
    Error: destroying an app must be confirmed
      Hint: `paasctl apps:destroy -a shop --confirm shop` removes it for good.
    --- exit Some(2)
    ");
    assert_snapshot!(env.run(&["destroy", "-a", "shop", "--confirm", "shoop"]), @"
    --- stderr
    Error: `shoop` is not `shop`; nothing was removed
    --- exit Some(1)
    ");
    assert!(!env.server.asked().contains(&"DELETE /apps/shop".to_owned()));
    assert_snapshot!(env.run(&["apps:destroy", "--confirm", "shop"]), @"
    --- stderr
    Destroyed shop.
    ");
    assert_eq!(env.server.asked().last().unwrap(), "DELETE /apps/shop");
}

#[test]
fn domains_and_maintenance() {
    let env = TestEnvironment::new();
    let own = json!({"hostname": "shop.localhost", "kind": "heroku", "cname": null});
    let custom = json!({"hostname": "www.example.com", "kind": "custom", "cname": "shop.localhost"});
    env.server
        .on("GET /apps/shop/domains", json!([own]))
        .on("GET /apps/shop/domains", json!([own, custom]))
        .on("POST /apps/shop/domains", custom.clone())
        .refuse(
            "DELETE /apps/shop/domains/w.example.com",
            404,
            json!({"id": "not_found", "resource": "domain"}),
        )
        .on("PATCH /apps/shop", shop());
    assert_snapshot!(env.run(&["domains", "-a", "shop"]), @"
    HOST NAME       KIND  POINT DNS TO
    shop.localhost  own
    --- stderr
    No domain of your own yet. `paasctl domains:add www.example.com` adds one.
    ");
    assert_snapshot!(env.run(&["domains:add", "WWW.example.com", "-a", "shop"]), @"
    --- stderr
    Added www.example.com to shop.
    Point its DNS record to shop.localhost
    ");
    assert_snapshot!(env.run(&["domains", "-a", "shop"]), @"
    HOST NAME        KIND    POINT DNS TO
    shop.localhost   own
    www.example.com  custom  shop.localhost
    ");
    assert_snapshot!(env.run(&["domains:remove", "w.example.com", "-a", "shop"]), @"
    --- stderr
    Error: shop has no host name w.example.com
      Hint: `paasctl domains -a shop` lists its host names.
    --- exit Some(1)
    ");
    assert_snapshot!(env.run(&["maintenance:on", "-a", "shop"]), @"
    --- stderr
    Visitors of shop get the maintenance page; its replicas go on running.
    ");
}

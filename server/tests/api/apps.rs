//! Apps, domains, collaborators, settings.

use model::access::Scope;
use serde_json::json;

use crate::server::Server;

#[test]
fn an_app_is_made_found_renamed_and_destroyed() {
    let server = Server::start();
    let made = server.ask("POST", "/apps").body(json!({ "name": "shop", "stack": "cedar" })).expect(201);
    let id = made["id"].as_str().unwrap();
    let address = server.address;
    assert_eq!(made["web_url"], "http://shop.localhost:8080/");
    assert_eq!(made["git_url"], format!("http://{address}/shop.git"));
    // Fields without which Heroku's clients crash.
    for object in ["owner", "region", "stack", "build_stack"] {
        assert!(made[object].is_object(), "{object}");
    }
    for present in ["repo_size", "slug_size", "internal_routing", "space", "team"] {
        assert!(made.get(present).is_some(), "{present}");
    }
    assert_eq!(server.get(&format!("/apps/{id}"))["name"], "shop");
    let taken = server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(422);
    assert!(taken["message"].as_str().unwrap().contains("Name is already taken"), "{taken}");
    assert!(taken["hint"].as_str().unwrap().contains("`paasctl git:remote -a "), "{taken}");
    let odd = server.ask("POST", "/apps").body(json!({ "name": "Shop!" })).expect(422);
    assert_eq!(odd["id"], "invalid_params");
    let renamed =
        server.ask("PATCH", "/apps/shop").body(json!({ "name": "store", "maintenance": 0 })).expect(200);
    assert_eq!(
        (&renamed["web_url"], &renamed["maintenance"]),
        (&json!("http://store.localhost:8080/"), &json!(false))
    );
    server.ask("GET", "/apps/shop").expect(404);
    assert_eq!(server.ask("DELETE", "/apps/store").expect(200)["name"], "store");
    server.ask("GET", "/apps/store").expect(404);
    server.ask("POST", "/apps").body(json!({ "name": "store" })).expect(201);
}

#[test]
fn a_stack_that_nothing_here_builds_is_refused_and_the_present_one_may_be_set() {
    let server = Server::start();
    let made = server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let stacks = server.get("/apps/shop/available-stacks");
    let names: Vec<_> = stacks.as_array().unwrap().iter().map(|stack| &stack["name"]).collect();
    assert!(names.len() == 2 && names.contains(&&made["build_stack"]["name"]), "{stacks}");
    // This server has no Docker engine.
    let refused = server.ask("PATCH", "/apps/shop").body(json!({ "build_stack": "container" })).expect(422);
    assert!(refused["message"].as_str().unwrap().contains("Docker engine"), "{refused}");
    let unknown = server.ask("PATCH", "/apps/shop").body(json!({ "build_stack": "heroku-24" })).expect(422);
    assert!(unknown["hint"].as_str().unwrap().contains("container"), "{unknown}");
    let same = json!({ "build_stack": made["build_stack"]["id"] });
    assert_eq!(server.ask("PATCH", "/apps/shop").body(same).expect(200)["build_stack"], made["build_stack"]);
}

#[test]
fn without_a_name_one_is_generated() {
    let server = Server::start();
    let made = server.ask("POST", "/apps").expect(201);
    let name = made["name"].as_str().unwrap();
    assert!(name.parse::<model::name::AppName>().is_ok(), "{name}");
}

#[test]
fn everybody_lists_their_own_apps_and_administrators_all() {
    let server = Server::start();
    let (ann, token) = server.user("ann@example.org", Scope::Write);
    server.ask("POST", "/apps").body(json!({ "name": "admins" })).expect(201);
    server.bare("POST", "/apps").token(&token).body(json!({ "name": "anns" })).expect(201);
    let names = |list: serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(server.bare("GET", "/apps").token(&token).expect(200)), ["anns"]);
    assert_eq!(names(server.get("/users/~/apps")), ["admins", "anns"]);
    let invite = json!({ "user": ann.email, "silent": true });
    let row = server.ask("POST", "/apps/admins/collaborators").body(&invite).expect(201);
    assert_eq!(row["user"]["email"], "ann@example.org");
    assert_eq!(names(server.bare("GET", "/apps").token(&token).expect(200)), ["admins", "anns"]);
    let roles = server.get("/apps/admins/collaborators");
    assert_eq!((&roles[0]["role"], &roles[1]["role"]), (&json!("owner"), &json!("collaborator")));
    // Who was invited to change an app may not destroy it.
    server.bare("DELETE", "/apps/admins").token(&token).expect(403);
    server.ask("DELETE", "/apps/admins/collaborators/ann@example.org").expect(200);
    server.bare("GET", "/apps/admins").token(&token).expect(404);
    let unknown = server.ask("POST", "/apps/admins/collaborators").body(json!({ "user": "x@y" })).expect(422);
    assert!(unknown["hint"].as_str().unwrap().contains("users:create"));
}

#[test]
fn domains_are_added_found_by_name_and_never_another_apps() {
    let server = Server::start();
    for name in ["shop", "blog"] {
        server.ask("POST", "/apps").body(json!({ "name": name })).expect(201);
    }
    let body = json!({ "hostname": "Shop.Example.org", "sni_endpoint": null });
    let domain = server.ask("POST", "/apps/shop/domains").body(&body).expect(201);
    assert_eq!(
        (&domain["hostname"], &domain["cname"]),
        (&json!("shop.example.org"), &json!("shop.localhost"))
    );
    let list = server.get("/apps/shop/domains");
    let kinds: Vec<_> = list.as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["custom", "heroku"]);
    let told = |app: &str, body: &serde_json::Value| {
        let refused = server.ask("POST", &format!("/apps/{app}/domains")).body(body).expect(422);
        format!("{}; {}", refused["message"].as_str().unwrap(), refused["hint"].as_str().unwrap())
    };
    assert!(told("blog", &body).contains("is already taken; another app has it"));
    assert!(told("shop", &body).contains("shop has the domain shop.example.org already"));
    assert!(told("shop", &json!({ "hostname": "shop.localhost" })).contains("shop.localhost already"));
    for own in ["blog.localhost", "localhost", "*.localhost", "new.blog.localhost"] {
        server.ask("POST", "/apps/shop/domains").body(json!({ "hostname": own })).expect(422);
    }
    server.get("/apps/shop/domains/shop.example.org");
    server.ask("DELETE", "/apps/blog/domains/shop.example.org").expect(404);
    server.ask("DELETE", "/apps/shop/domains/shop.example.org").expect(200);
    server.ask("DELETE", "/apps/shop/domains/shop.localhost").expect(422);
    server.ask("POST", "/apps/blog/domains").body(&body).expect(201);
}

#[test]
fn settings_are_patched_in_part() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    assert_eq!(server.get("/apps/shop/settings")["rollout_seconds"], 300);
    let patch = json!({ "health": { "path": "/up" }, "deploy_branch": "live" });
    let settings = server.ask("PATCH", "/apps/shop/settings").body(patch).expect(200);
    assert_eq!(
        (&settings["health"]["path"], &settings["health"]["boot_seconds"]),
        (&json!("/up"), &json!(60))
    );
    assert_eq!(server.get("/apps/shop/settings"), settings);
    assert_eq!(
        (&settings["build_seconds"], &settings["defaults"]["build_seconds"]),
        (&json!(null), &json!(60))
    );
    let long = server.ask("PATCH", "/apps/shop/settings").body(json!({ "build_seconds": 61 })).expect(422);
    assert_eq!(long["message"], "`build_seconds` is at most 60 on this platform");
    let wrong = server.ask("PATCH", "/apps/shop/settings").body(json!({ "rolout_seconds": 1 })).expect(422);
    assert_eq!(wrong["hint"], "did you mean `rollout_seconds`?");
}

#[test]
fn what_apps_info_asks_for_is_there() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    for list in ["addons", "collaborators", "dynos", "formation", "sni-endpoints", "releases", "builds"] {
        assert!(server.get(&format!("/apps/shop/{list}")).is_array(), "{list}");
    }
    let coupling = server.ask("GET", "/apps/shop/pipeline-couplings").expect(404);
    assert_eq!(coupling["id"], "not_found");
    assert!(
        server.get("/regions/us")["name"] == "us" && server.get("/dyno-sizes/standard-2x")["memory"] == 1.0
    );
    let platform = server.get("/platform");
    assert_eq!((&platform["apps"], &platform["domain"]), (&json!(1), &json!("localhost")));
}

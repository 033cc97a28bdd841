//! Apps that are container images: of a Dockerfile that is pushed, or one that exists already. They need the Docker engine.

use crate::app::TestApp;
use crate::platform::{TestPlatform, engine};
use crate::wait;

/// Says visibly that a story is skipped where replicas do not run in containers.
fn has_docker() -> bool {
    let has = engine() == "docker";
    if !has {
        eprintln!("SKIPPED: container images need the Docker engine, and this run has another");
    }
    has
}

/// Has the app greet out of an image on the stack's, which every daemon that runs these has.
fn greets<'a>(app: &'a TestApp<'a>, greeting: &str) -> &'a TestApp<'a> {
    app.greets(greeting).write(
        "Dockerfile",
        "FROM paas-debian-12\nENV FLAVOUR=plain MOOD=calm\nWORKDIR /srv/shop\nCOPY bin bin\nCOPY greeting .\nCMD [\"bin/web\"]\n",
    );
    app.git(&["rm", "-q", "--cached", "Procfile"]);
    std::fs::remove_file(app.dir.join("Procfile")).unwrap();
    app.commit("As an image")
}

#[test]
fn a_dockerfile_is_pushed_scaled_and_rolled_back_like_any_app() {
    if !has_docker() {
        return;
    }
    let platform = TestPlatform::start();
    let app = platform.app("boxed");
    app.paasctl(&["config:set", "MOOD=bright"]);
    greets(&app, "one");
    let without = app.push();
    assert!(!without.ok && without.text.contains("stack:set container"), "{}", without.text);
    assert!(app.paasctl(&["stack:set", "container"]).is_empty());
    let pushed = app.deploy();
    for part in
        ["The stack of this app is `container`", "Step 1/", "FLAVOUR=plain", "Image sha256:", "web: bin/web"]
    {
        assert!(pushed.contains(part), "`{part}` is missing in {pushed}");
    }
    assert_eq!(app.get("/").body, "one");
    let environment = ["FLAVOUR", "MOOD", "HOME"].map(|name| app.get(&format!("/env/{name}")).body);
    assert_eq!(environment, ["plain", "bright", "/root"]);
    assert!(app.paasctl(&["stack"]).contains("* container"));

    let crowd = app.crowd();
    app.greeting("two").deploy();
    app.paasctl(&["ps:scale", "web=2"]);
    assert_eq!(app.get("/").body, "two");
    app.paasctl(&["rollback"]);
    assert_eq!(app.get("/").body, "one");
    crowd.assert_none_failed();
    wait::until("the replicas of before to end", || (app.json(&["ps"]).as_array()?.len() == 2).then_some(()));
    assert_eq!(app.json(&["apps:info"])["stack"]["name"], "container");
}

#[test]
fn what_cannot_be_built_says_why_and_changes_nothing() {
    if !has_docker() {
        return;
    }
    let platform = TestPlatform::start();
    let app = platform.app("broken");
    app.paasctl(&["stack:set", "container"]);
    app.write("README.md", "nothing to build").commit("No Dockerfile");
    let absent = app.push();
    assert!(!absent.ok && absent.text.contains("there is no `Dockerfile` at the root"), "{}", absent.text);
    app.write("Dockerfile", "FROM paas-debian-12\nRUN echo about to fail; exit 3\n")
        .commit("A step that fails");
    let failed = app.push();
    assert!(!failed.ok && failed.text.contains("about to fail"), "{}", failed.text);
    assert!(failed.text.contains("returned a non-zero code: 3"), "{}", failed.text);
    assert!(app.json(&["releases"]).as_array().is_some_and(Vec::is_empty));
}

#[test]
fn an_image_that_exists_is_deployed_without_a_repository_of_its_own() {
    if !has_docker() {
        return;
    }
    let platform = TestPlatform::start();
    let app = platform.app("ready-made");
    greets(&app, "out of the box");
    let image = format!("paas-story-{}", std::process::id());
    let docker = |arguments: &[&str]| {
        let done =
            std::process::Command::new("docker").args(arguments).current_dir(&app.dir).output().unwrap();
        assert!(done.status.success(), "docker {arguments:?}: {}", crate::app::text(&done));
    };
    docker(&["build", "-q", "-t", &image, "."]);
    let deployed = app.try_paasctl(&["deploy", "--image", &image]);
    docker(&["rmi", &image]);
    let said = crate::app::text(&deployed);
    assert!(deployed.status.success(), "{said}\n{}", platform.server_log());
    assert!(said.contains(&format!("{image} is sha256:")) && said.contains("Released v1"), "{said}");
    assert_eq!(app.get("/").body, "out of the box");
    let build = app.json(&["builds:info"]);
    assert!(build["trace"]["versions"].to_string().contains("sha256:"), "{build}");
}

#[test]
fn another_engine_refuses_the_stack_with_its_reason() {
    if engine() == "docker" {
        eprintln!("SKIPPED with the Docker engine: it is what other engines lack");
        return;
    }
    let platform = TestPlatform::start();
    let app = platform.app("unboxed");
    let refused = app.try_paasctl(&["stack:set", "container"]);
    let said = crate::app::text(&refused);
    assert!(!refused.status.success() && said.contains("Docker engine") && said.contains("Hint:"), "{said}");
    assert!(!app.paasctl(&["stack"]).contains("* container"));
    let unknown = crate::app::text(&app.try_paasctl(&["stack:set", "heroku-24"]));
    assert!(unknown.contains("there is no stack `heroku-24`"), "{unknown}");
}

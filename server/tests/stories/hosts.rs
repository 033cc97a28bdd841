//! Several hosts: a server without much to do itself, and agents that dialled in. All of them are on this machine, each
//! with a data directory and an address of its own.

mod machine;
mod measured;

use std::collections::BTreeSet;

use machine::{Machine, hosts_of};

use crate::app::{TestApp, text};
use crate::platform::TestPlatform;
use crate::{address, backup, wait};

/// Starts a server that agents may call, and that takes little on itself.
fn platform() -> TestPlatform {
    TestPlatform::start_with(&["--agent-listen", &address::reserve().to_string()])
}

/// Waits until so many replicas have answered, each by its name.
fn wait_for_answers(app: &TestApp<'_>, replicas: usize) {
    wait::until("all replicas to answer", || {
        let names: BTreeSet<String> = (0..10 * replicas).map(|_| app.get("/me").body).collect();
        (names.len() == replicas).then_some(())
    });
}

#[test]
fn replicas_on_hosts_that_joined_serve_visitors() {
    let platform = platform();
    let _machines = (Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3));
    let app = platform.app("spread");
    app.greets("far").deploy();
    let crowd = app.crowd();
    app.paasctl(&["scale", "web=3"]);
    wait_for_answers(&app, 3);
    let hosts: BTreeSet<String> = hosts_of(&app).into_iter().collect();
    assert!(hosts.contains("one") && hosts.contains("two") && hosts.len() == 3, "{hosts:?}");
    app.greeting("farther").deploy();
    crowd.assert_none_failed();
    let greetings: BTreeSet<String> = (0..30).map(|_| app.get("/").body).collect();
    assert_eq!(greetings.into_iter().collect::<Vec<_>>(), ["farther"]);
}

#[test]
fn a_host_goes_on_without_its_agent_and_without_its_server() {
    let mut platform = platform();
    let mut machines = [Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3)];
    platform.app("steadfast").greets("still here").deploy();
    platform.known_app("steadfast").paasctl(&["scale", "web=3"]);
    wait_for_answers(&platform.known_app("steadfast"), 3);
    let before = machine::dynos(&platform.known_app("steadfast"));
    machines[0].kill();
    machines[0].start_again();
    platform.restart(false);
    wait_for_answers(&platform.known_app("steadfast"), 3);
    machines[1].end();
    platform.end_server(true);
    machines[1].start_again();
    platform.start_again();
    wait_for_answers(&platform.known_app("steadfast"), 3);
    let after = machine::dynos(&platform.known_app("steadfast"));
    assert_eq!(before, after, "nothing was started again");
}

#[test]
fn a_server_is_restarted_under_load_and_no_request_to_other_hosts_fails() {
    let mut platform = platform();
    let _machines = [Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3)];
    platform.app("busy").greets("yes").deploy();
    platform.known_app("busy").paasctl(&["scale", "web=3"]);
    wait_for_answers(&platform.known_app("busy"), 3);
    let crowd = platform.known_app("busy").crowd();
    platform.restart(true);
    platform.replace();
    wait_for_answers(&platform.known_app("busy"), 3);
    crowd.assert_none_failed();
}

#[test]
fn an_agent_that_is_told_to_end_waits_for_the_answers_that_pass_through_it() {
    let platform = platform();
    let (mut one, _two) = (Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3));
    let app = platform.app("patient");
    app.greets("yes").deploy();
    app.paasctl(&["scale", "web=3"]);
    wait_for_answers(&app, 3);
    let crowd = app.crowd();
    std::thread::scope(|scope| {
        let slow = [(); 12].map(|()| scope.spawn(|| app.get("/slow=4").status));
        // These come after them.
        wait_for_answers(&app, 3);
        one.end();
        one.start_again();
        assert_eq!(slow.map(|request| request.join().unwrap()), [200; 12]);
    });
    wait_for_answers(&app, 3);
    crowd.assert_none_failed();
}

#[test]
fn what_was_deployed_after_a_backup_serves_until_the_release_of_the_backup_does() {
    let listen = address::reserve().to_string();
    let options = ["--agent-listen", listen.as_str()];
    let (kept, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut platform = TestPlatform::start_with(&options);
    let _machines = [Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3)];
    let app = platform.app("shop");
    app.greets("before").write("Procfile", "web: sleep 3 && exec bin/web\nworker: sleep 1000\n");
    app.commit("Start slowly").deploy();
    app.paasctl(&["scale", "web=3", "worker=3"]);
    wait_for_answers(&app, 3);
    backup::backup(&platform, kept.path());
    let late = Machine::join(&platform, "late", 4);
    let ids =
        |app: &TestApp<'_>| machine::dynos(app).into_iter().map(|(_, id, _)| id).collect::<BTreeSet<_>>();
    let known = ids(&app);
    let says = "web: for i in $(seq 9999); do echo still here $i; sleep 0.2; done & exec bin/web\n";
    app.write("Procfile", &format!("{says}worker: sleep 1000\n")).greeting("after").deploy();
    let strays = wait::until("the release before to be gone", || {
        Some(ids(&app)).filter(|ids| ids.is_disjoint(&known))
    });
    platform.stop();

    let restored =
        backup::paasd(&["restore"], &[("--from", kept.path()), ("--data-dir", &new.path().join("data"))]);
    assert!(restored.status.success(), "{}", text(&restored));
    let platform = TestPlatform::start_in(new.path(), &options);
    let app = backup::known(&platform, "shop");
    let first = wait::until("an answer", || Some(app.get("/")).filter(|answer| answer.status == 200));
    assert_eq!(first.body, "after");
    let crowd = app.crowd();
    app.wait_for_log("is not of the backup: it runs v2 and serves until v1 does");
    wait::until("the release of the backup alone", || {
        let dynos = ids(&app);
        (dynos.len() == 6 && dynos.is_disjoint(&strays)).then_some(())
    });
    crowd.assert_none_failed();
    assert_eq!(app.get("/").body, "before");
    wait_for_answers(&app, 3);
    // Nobody knew of them when the logs came, and what they said before that is still on its way.
    wait::until("the first line of a host's replica", || {
        let text = app.paasctl(&["logs", "-n", "10000", "--source", "app"]);
        text.lines().any(|line| line.ends_with("still here 1")).then_some(())
    });
    late.wait_for_log("it goes on with what it runs");
    assert!(late.replicas() > 0, "a host that the backup does not know ended what it ran");
}

#[test]
fn a_host_keeps_the_slugs_that_can_be_gone_back_to_and_gives_up_others() {
    let platform = platform();
    let one = Machine::join(&platform, "one", 2);
    let deploy = |app: &TestApp<'_>, greeting: &str| {
        let before = one.slugs();
        app.greeting(greeting).deploy();
        app.paasctl(&["scale", "web=2"]);
        wait_for_answers(app, 2);
        one.age_slugs();
        let mut new = one.slugs();
        new.retain(|name| !before.contains(name));
        new
    };
    let gone = platform.app("gone");
    gone.greets("nobody");
    let left = deploy(&gone, "nobody at all");
    let kept = platform.app("kept");
    kept.greets("zero");
    let first = deploy(&kept, "first");
    let second = deploy(&kept, "second");
    assert_eq!((left.len(), first.len(), second.len()), (1, 1, 1));
    gone.paasctl(&["apps:destroy", "--confirm", "gone"]);
    let image = platform.data.join("blobs/slugs").join(left.first().unwrap());
    wait::until("the image to be collected", || (!image.exists()).then_some(()));
    let third = deploy(&kept, "third");
    wait::until("what nobody needs to go", || one.slugs().is_disjoint(&left).then_some(()));
    assert_eq!(one.slugs(), [first, second, third].into_iter().flatten().collect());
}

#[test]
fn machines_that_are_about_to_call_for_the_first_time_cast_no_doubt_on_the_loss_of_another() {
    let listen = address::reserve().to_string();
    let platform = TestPlatform::start_with(&["--agent-listen", &listen, "--host-grace", "5"]);
    let mut one = Machine::join(&platform, "one", 2);
    let app = platform.app("kept");
    app.greets("here").deploy();
    app.paasctl(&["scale", "web=2"]);
    wait_for_answers(&app, 2);
    for name in ["two", "three", "four", "five"] {
        machine::add(&platform, name);
    }
    one.kill();
    wait::until("the replicas to be elsewhere", || {
        (app.json(&["hosts:info", "one"])["state"] == "lost" && !hosts_of(&app).contains(&"one".to_owned()))
            .then_some(())
    });
    assert!(!platform.server_log().contains("it is probably this server"), "it took itself for cut off");
}

#[test]
fn a_token_makes_one_host_and_a_removed_host_is_refused_and_runs_nothing() {
    let platform = platform();
    let token = machine::join_token(&platform, "one");
    let mut one = Machine::start(&platform, "one", 2, &token);
    one.wait_for_log("this is host one");
    one.kill();
    std::fs::remove_file(one.data.join("identity/host.json")).unwrap();
    one.start_again();
    wait::until("it to be let in again, as if it had not heard", || {
        (one.log().matches("this is host one").count() == 2).then_some(())
    });
    let mut thief = Machine::start(&platform, "thief", 3, &token);
    thief.wait_for_log("was used already");
    assert!(!thief.wait_for_end().success());
    let app = platform.app("moves");
    app.greets("hello").deploy();
    app.paasctl(&["scale", "web=4"]);
    wait_for_answers(&app, 4);
    assert!(hosts_of(&app).contains(&"one".to_owned()));
    machine::remove(&platform, "one");
    one.wait_for_log("was removed");
    assert!(!one.wait_for_end().success());
    wait::until("all replicas to be elsewhere", || {
        let hosts = hosts_of(&app);
        (hosts.len() == 4 && !hosts.contains(&"one".to_owned())).then_some(())
    });
    assert_eq!(app.get("/").status, 200);
    assert_eq!(one.replicas(), 0);
    one.start_again();
    assert!(!one.wait_for_end().success(), "its token was used, and its certificate is no good any more");
}

#[test]
fn what_a_replica_on_another_host_writes_arrives_without_a_gap_though_both_sides_are_killed() {
    let mut platform = platform();
    let mut one = Machine::join(&platform, "one", 2);
    one.wait_for_log("this is host one");
    let app = platform.app("writer");
    app.greets("x");
    app.write(
        "Procfile",
        "web: bin/web\nworker: for i in $(seq 1 1500); do echo number $i; sleep 0.01; done; sleep 1000\n",
    );
    app.commit("Count").deploy();
    app.paasctl(&["scale", "worker=2"]);
    wait::until("a worker on the other host", || hosts_of(&app).contains(&"one".to_owned()).then_some(()));
    let name =
        machine::dynos(&app).into_iter().find(|(_, _, host)| host == "one").map(|(name, ..)| name).unwrap();
    assert!(name.starts_with("worker"), "{name}");
    wait_for_number(&app, &name, 100);
    one.kill();
    one.start_again();
    wait_for_number(&app, &name, 400);
    platform.end_server(false);
    platform.start_again();
    let app = platform.known_app("writer");
    wait_for_number(&app, &name, 1_500);
    let numbers = numbers(&app, &name);
    assert_eq!(numbers, (1..=1_500).collect::<Vec<u32>>());
}

fn numbers(app: &TestApp<'_>, process: &str) -> Vec<u32> {
    let text = app.paasctl(&["logs", "-n", "10000", "--dyno", process, "--source", "app"]);
    text.lines().filter_map(|line| line.rsplit_once("number ")?.1.trim().parse().ok()).collect()
}

fn wait_for_number(app: &TestApp<'_>, process: &str, number: u32) {
    wait::until(&format!("line {number}"), || numbers(app, process).contains(&number).then_some(()));
}

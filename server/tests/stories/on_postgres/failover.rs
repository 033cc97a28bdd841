//! The one that leads dies, sleeps, or loses its database.

use std::process::Command;
use std::time::Instant;

use super::{Servers, running};
use crate::app::TestApp;
use crate::visitor;
use crate::wait;

fn signal(server: u32, name: &str) {
    assert!(Command::new("kill").args([name, &server.to_string()]).status().unwrap().success());
}

/// The same app, as seen by the other server.
fn through<'a>(app: &TestApp<'_>, servers: &'a Servers) -> TestApp<'a> {
    TestApp { platform: &servers.other, name: app.name.clone(), dir: app.dir.clone() }
}

#[test]
fn when_the_leader_is_killed_the_other_leads_and_carries_out_what_is_asked() {
    let mut servers = Servers::start();
    let dir = {
        let app = servers.leader.app("heir");
        app.greets("one").deploy();
        app.paasctl(&["scale", "web=2"]);
        app.dir.clone()
    };
    let term = servers.eyes.leadership().unwrap().term;
    let killed = Instant::now();
    servers.leader.end_server(false);
    servers.eyes.next_term(term);
    eprintln!("the other led {:.1} s after the leader was killed", killed.elapsed().as_secs_f64());
    let app = TestApp { platform: &servers.other, name: "heir".to_owned(), dir };
    app.paasctl(&["scale", "web=3"]);
    wait::until("three replicas on the host that is left", || (running(&app).len() == 3).then_some(()));
    assert_eq!(app.get("/").body, "one");
    servers.leader.start_again();
    let host = app.host();
    wait::until("both to send visitors to all three", || {
        let mut names: Vec<_> = (0..30)
            .filter_map(|_| visitor::get(servers.leader.router, &host, "/me").ok())
            .map(|answer| answer.body)
            .collect();
        names.sort();
        names.dedup();
        (names == ["web.1", "web.2", "web.3"]).then_some(())
    });
}

#[test]
fn a_leader_that_sleeps_through_its_lease_does_no_harm_when_it_wakes() {
    let servers = Servers::start();
    let app = servers.leader.app("sleeper");
    app.greets("one").deploy();
    app.paasctl(&["scale", "web=2"]);
    let term = servers.eyes.leadership().unwrap().term;
    signal(servers.leader.server_pid(), "-STOP");
    let term = servers.eyes.next_term(term);
    let app = through(&app, &servers);
    app.paasctl(&["scale", "web=4"]);
    wait::until("four replicas", || (running(&app).len() == 4).then_some(()));
    app.paasctl(&["config:set", "A=1"]);
    signal(servers.leader.server_pid(), "-CONT");
    wait::until("the first to know", || {
        servers.leader.server_log().contains("this server no longer leads").then_some(())
    });
    app.paasctl(&["scale", "web=3"]);
    wait::until("what is asked after that", || (running(&app) == ["web.1", "web.2", "web.3"]).then_some(()));
    assert_eq!(servers.eyes.leadership().unwrap().term, term, "it took nothing back");
    assert_eq!(app.get("/env/A").body, "1");
}

#[test]
fn a_restart_of_the_database_under_both_servers_costs_no_visitor_anything() {
    let servers = Servers::start();
    let app = servers.leader.app("anchored");
    app.greets("one").deploy();
    let crowd = app.crowd();
    servers.postgres.stop();
    let (status, answer) = servers.other.api("GET", "/apps/anchored", &servers.other.token, None);
    assert_eq!((status, &answer["id"]), (503, &"database_unavailable".into()), "{answer}");
    assert!(answer["hint"].as_str().unwrap().contains("try again"), "{answer}");
    servers.postgres.start();
    let app = through(&app, &servers);
    wait::until("the API", || app.try_paasctl(&["scale", "web=2"]).status.success().then_some(()));
    wait::until("two replicas", || (running(&app).len() == 2).then_some(()));
    crowd.assert_none_failed();
}

//! What visitors who come on a schedule of their own (2,000 a second; `PER_SECOND` says otherwise) notice of each kind of
//! change: how many got no answer, and how long the others waited. A site of files is changed: it costs next to nothing,
//! so that what is seen is the platform.

use std::time::{Duration, Instant};

use crate::app::TestApp;
use crate::load::{Load, Outcome};
use crate::platform::TestPlatform;
use crate::wait;

const PER_SECOND: u32 = 2_000;

/// How long visitors come before anything is changed.
const CALM: Duration = Duration::from_secs(5);

/// Ways to fail: a name, and what the release runs.
const FAILURES: [(&str, &str); 6] = [
    ("a build that fails", "web: .paas/bin/static-server\n<<<<<<< HEAD\n"),
    ("a release command that fails", "web: .paas/bin/static-server\nrelease: exit 4\n"),
    ("a crash at boot", "web: exit 3\n"),
    ("never listens", "web: sleep 1000\n"),
    ("listens on another port", "web: PORT=$((PORT - 10000)) .paas/bin/static-server\n"),
    ("a boot that takes too long", "web: sleep 30 && exec .paas/bin/static-server\n"),
];

pub(crate) fn measure() {
    let per_second =
        std::env::var("PER_SECOND").ok().and_then(|text| text.parse().ok()).unwrap_or(PER_SECOND);
    println!("\nvisitors come {per_second} times a second, half of them on new connections\n");
    println!("{:<36}{:>9}{:>8}{:>11}{:>11}{:>11}", "", "requests", "failed", "p50", "p99", "max");
    let mut platform = TestPlatform::start();
    let host = deploy(&platform).host();
    let load = Load::start(platform.router, &host, "/", per_second);
    let calm = Instant::now() + CALM;
    phase(&load, "no change", || std::thread::sleep(calm.saturating_duration_since(Instant::now())));
    changes(&platform.known_app("site"), &load);
    failures(&platform.known_app("site"), &load);
    phase(&load, "SIGTERM, then start", || platform.restart(true));
    phase(&load, "serve --replace", || platform.replace());
    phase(&load, "upgrade with --replace", || {
        platform.install();
        platform.replace();
    });
    phase(&load, "kill -9, then start", || platform.restart(false));
    println!("what a process has in hand when it is killed is lost with it; nothing else may fail");
    load.finish("after all of it");
}

fn deploy(platform: &TestPlatform) -> TestApp<'_> {
    let app = platform.app("site");
    app.paasctl(&["settings:set", "boot-seconds=3"]);
    app.write("Procfile", "web: .paas/bin/static-server\nworker: sleep 1000\n");
    app.write("index.html", &"<p>here\n".repeat(128)).commit("Serve").deploy();
    app.paasctl(&["ps:scale", "web=2"]);
    app
}

fn changes(app: &TestApp<'_>, load: &Load) {
    let steps: [(&str, &[&str]); 6] = [
        ("config:set", &["config:set", "A=1"]),
        ("scale up", &["ps:scale", "web=4"]),
        ("ps:restart", &["ps:restart"]),
        ("scale down", &["ps:scale", "web=2"]),
        ("ps:restart of one replica", &["ps:restart", "web.1"]),
        ("rollback", &["rollback", "v1"]),
    ];
    phase(load, "deploy", || {
        app.write("more.html", "more").commit("More").deploy();
        settle(app);
    });
    for (what, command) in steps {
        phase(load, what, || {
            app.paasctl(command);
            settle(app);
        });
    }
}

fn failures(app: &TestApp<'_>, load: &Load) {
    for (what, procfile) in FAILURES {
        app.write("Procfile", procfile).commit(what);
        phase(load, what, || {
            let pushed = app.push();
            assert!(!pushed.ok, "{}", pushed.text);
            settle(app);
        });
    }
    app.write("Procfile", "web: .paas/bin/static-server\nworker: sleep 2; exit 3\n").commit("Crash");
    app.paasctl(&["ps:scale", "worker=1"]);
    phase(load, "crashes and is reverted", || {
        app.deploy();
        wait::until("the release to be reverted", || {
            let newest = &app.json(&["releases"])[0];
            newest["description"].as_str()?.starts_with("Reverted to ").then_some(())
        });
        settle(app);
    });
}

/// Waits until nothing starts, drains or stops any more.
fn settle(app: &TestApp<'_>) {
    wait::until("the replicas to be as wished", || {
        let replicas = app.json(&["ps"]);
        replicas.as_array()?.iter().all(|replica| replica["phase"] == "healthy").then_some(())
    });
}

fn phase(load: &Load, what: &str, change: impl FnOnce()) {
    let Outcome { asked, failures, p50, p99, max } = load.during(what, change);
    let ms = |wait: Duration| format!("{:.1} ms", wait.as_secs_f64() * 1_000.0);
    println!("{what:<36}{asked:>9}{:>8}{:>11}{:>11}{:>11}", failures.len(), ms(p50), ms(p99), ms(max));
}

//! What the platform adds to what must be done anyhow. Each figure stands beside a floor that was taken in the same run:
//! the same steps by hand, with nothing around them. Prints medians and ratios; asserts nothing.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    dead_code,
    reason = "a program that prints what it measured"
)]

#[path = "../../testkit/address.rs"]
mod address;
#[path = "../tests/stories/app.rs"]
mod app;
#[path = "platform/floor.rs"]
mod floor;
#[path = "../tests/stories/load.rs"]
mod load;
#[path = "../tests/stories/place.rs"]
mod place;
#[path = "../tests/stories/platform.rs"]
mod platform;
#[path = "platform/restart.rs"]
mod restart;
#[path = "platform/steady.rs"]
mod steady;
#[path = "../tests/stories/visitor.rs"]
mod visitor;
#[path = "../tests/stories/wait.rs"]
mod wait;

use std::time::{Duration, Instant};

use app::TestApp;
use floor::Floor;
use platform::TestPlatform;

const ROUNDS: usize = 5;

const FLASK: &str = "import os\nfrom flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef hello():\n    return \"GREETING\"\n";
const REQUIREMENTS: &str = "flask==3.0.3\ngunicorn==22.0.0\n";
const MORE_REQUIREMENTS: &str = "flask==3.0.3\ngunicorn==22.0.0\nitsdangerous==2.1.2\n";
const PROCFILE: &str = "web: gunicorn app:app --bind 0.0.0.0:$PORT\n";

fn main() {
    // `cargo bench` and `cargo nextest` pass flags of their own; a bench that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if std::env::args().any(|argument| argument == "restart") {
        return restart::measure();
    }
    if std::env::args().any(|argument| argument == "steady") {
        return steady::measure();
    }
    println!(
        "push to live, a small Flask app: until the first answer of the new version, medians of {ROUNDS}\n"
    );
    println!("{:<34}{:>10}{:>10}{:>9}{:>22}", "", "platform", "floor", "ratio", "target 1.25 x + 0.5 s");
    push_to_live();
    println!("\nwithout a floor of its own; the app's boot is what any start of it takes\n");
    others();
}

fn push_to_live() {
    let mut samples: [(Vec<Duration>, Vec<Duration>); 3] = Default::default();
    for round in 0..ROUNDS {
        let platform = TestPlatform::start();
        let app = platform.app("bench");
        let floor = Floor::new(&platform.scratch().join("floor"));
        let kinds = [("one", REQUIREMENTS), ("two", REQUIREMENTS), ("three", MORE_REQUIREMENTS)];
        for (index, (greeting, requirements)) in kinds.into_iter().enumerate() {
            let greeting = format!("{greeting}-{round}");
            write(&app, &greeting, requirements);
            samples[index].0.push(timed(|| live(&app, &greeting)));
            samples[index].1.push(floor.push(&app.dir, &greeting));
        }
    }
    for (name, (ours, floor)) in
        ["first push", "one changed line", "changed requirements"].iter().zip(samples)
    {
        let (ours, floor) = (median(ours), median(floor));
        let target = floor.mul_f64(1.25) + Duration::from_millis(500);
        let verdict = if ours <= target { "met" } else { "missed" };
        println!(
            "{name:<34}{:>8.2} s{:>8.2} s{:>9.2}{:>15.2} s {verdict}",
            ours.as_secs_f64(),
            floor.as_secs_f64(),
            ours.as_secs_f64() / floor.as_secs_f64(),
            target.as_secs_f64()
        );
    }
}

fn others() {
    let platform = TestPlatform::start();
    let app = platform.app("others");
    write(&app, "one", REQUIREMENTS);
    app.deploy();
    write(&app, "two", REQUIREMENTS);
    app.deploy();
    let boot = median((0..ROUNDS).map(|_| boot(&app)).collect());
    row("restart of one replica: the app's own boot", boot, None);
    let mut rollbacks = Vec::new();
    for greeting in ["one", "two", "one", "two", "one"] {
        let to = if greeting == "one" { "v1" } else { "v2" };
        rollbacks.push(timed(|| {
            app.paasctl(&["rollback", to, "--no-wait"]);
            assert!(wait_for(&app, greeting), "{to} does not serve");
        }));
    }
    row("rollback to live", median(rollbacks), Some(boot));
    let scales = (0..ROUNDS)
        .map(|_| {
            app.paasctl(&["scale", "web=1"]);
            timed(|| drop(app.paasctl(&["scale", "web=4"])))
        })
        .collect();
    row("scale web 1 to 4, as paasctl waits", median(scales), Some(boot));
    drop(platform);
    restart::measure();
    steady::measure();
}

/// Starts the command of the app's own venv by hand, and waits for its first answer.
fn boot(app: &TestApp<'_>) -> Duration {
    let floor = Floor::new(&app.platform.scratch().join("boot"));
    floor.prepare(&app.dir);
    floor.boot(&app.dir)
}

fn write(app: &TestApp<'_>, greeting: &str, requirements: &str) {
    app.write("app.py", &FLASK.replace("GREETING", greeting)).write("requirements.txt", requirements);
    app.write("Procfile", PROCFILE).commit(greeting);
}

/// Pushes and waits for the new version; the router is asked while the push still runs.
fn live(app: &TestApp<'_>, greeting: &str) {
    let pusher = app.push_in_background();
    let came = wait_for(app, greeting);
    let output = pusher.wait_with_output().unwrap();
    assert!(came && output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Asks every few milliseconds; gives up after a minute.
fn wait_for(app: &TestApp<'_>, greeting: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if visitor::get(app.platform.router, &app.host(), "/").is_ok_and(|answer| answer.body == greeting) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn timed(what: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    what();
    begun.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples[samples.len() / 2]
}

fn row(name: &str, took: Duration, boot: Option<Duration>) {
    let beyond = boot.map_or(String::new(), |boot| {
        format!("   {:>6.2} s beyond one boot", took.as_secs_f64() - boot.as_secs_f64())
    });
    println!("{name:<46}{:>8.2} s{beyond}", took.as_secs_f64());
}

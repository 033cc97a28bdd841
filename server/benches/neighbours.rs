//! What a bad neighbour costs: the latency of one app before and while another bombs, hogs, fills its disk or floods its
//! log. Open loop: a request is due every 5 ms whatever became of the one before. Prints figures; asserts nothing.

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
#[path = "../tests/stories/place.rs"]
mod place;
#[path = "../tests/stories/platform.rs"]
mod platform;
#[path = "../tests/stories/visitor.rs"]
mod visitor;
#[path = "../tests/stories/wait.rs"]
mod wait;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use app::TestApp;
use platform::TestPlatform;

const EVERY: Duration = Duration::from_millis(5);
const REQUESTS: u32 = 2000;
const VISITORS: usize = 16;

const ROWDY: &str = "web: bin/web\nidle: exec sleep 1000\nbomb: b() { b | b & b; }; b\n\
    hog: while :; do python3 -c 'x = [bytearray(16 << 20) for _ in range(1000)]'; done\n\
    filler: while :; do head -c 3G /dev/zero >/app/filler; rm /app/filler; done\nflood: exec yes 'the same line over and over'\n\
    spinner: for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait\n";

/// The latencies of one run, in order, and how many requests failed.
struct Run {
    times: Vec<Duration>,
    failed: usize,
}

impl Run {
    fn at(&self, hundredths: usize) -> Duration {
        self.times[(self.times.len() - 1) * hundredths / 100]
    }
}

fn main() {
    // `cargo bench` and `cargo nextest` pass flags of their own; a bench that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let rate = 1000 / EVERY.as_millis();
    println!("one app at {rate} requests/s for {} s, beside another that does this:\n", REQUESTS * 5 / 1000);
    println!(
        "{:<10}{:>12}{:>12}{:>12}{:>12}{:>10}{:>9}",
        "", "p50 before", "p50 during", "p99 before", "p99 during", "p99 ratio", "failed"
    );
    let platform = TestPlatform::start();
    let (quiet, rowdy) = (platform.app("quiet"), platform.app("rowdy"));
    quiet.greets("still here").deploy();
    rowdy.greets("rowdy").write("Procfile", ROWDY).commit("Misbehave").deploy();
    for process in ["idle", "spinner", "bomb", "hog", "filler", "flood"] {
        let before = run(&quiet);
        rowdy.paasctl(&["ps:scale", &format!("{process}=1")]);
        let during = run(&quiet);
        rowdy.paasctl(&["ps:scale", &format!("{process}=0")]);
        let ratio = during.at(99).as_secs_f64() / before.at(99).as_secs_f64();
        println!(
            "{process:<10}{:>12.2?}{:>12.2?}{:>12.2?}{:>12.2?}{ratio:>10.2}{:>9}",
            before.at(50),
            during.at(50),
            before.at(99),
            during.at(99),
            before.failed + during.failed
        );
    }
}

/// Visits the app at a steady rate. A request's time counts from when it was due, so that a stall counts for each that
/// waited for it.
fn run(app: &TestApp<'_>) -> Run {
    let (router, host) = (app.platform.router, app.host());
    let begun = Instant::now();
    let (sender, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        for visitor in 0..VISITORS {
            let (sender, host) = (sender.clone(), &host);
            scope.spawn(move || {
                for number in (visitor..REQUESTS as usize).step_by(VISITORS) {
                    let due = begun + EVERY * u32::try_from(number).unwrap();
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let answered = visitor::get(router, host, "/").is_ok_and(|answer| answer.status == 200);
                    sender.send((due.elapsed(), answered)).unwrap();
                }
            });
        }
    });
    drop(sender);
    let (mut times, answered): (Vec<_>, Vec<_>) = answers.iter().unzip();
    times.sort();
    Run { times, failed: answered.into_iter().filter(|answered| !answered).count() }
}

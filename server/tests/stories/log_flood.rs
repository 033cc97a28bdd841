//! A replica that writes as fast as it can: what it writes is kept or counted, others' lines come in time, and a tail
//! goes on over a restart of the server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use futures::StreamExt as _;
use logs::{Bounds, LogDir, Position, Query, Source, Tailed};

use crate::app::TestApp;
use crate::platform::{TestPlatform, binary, engine};

/// Lines of the flood.
const LINES: u64 = 1_200_000;

/// Writes its lines at 300,000 a second.
const FLOOD: &str = r#"#!/usr/bin/python3
import os, sys, time
start = time.monotonic()
for n in range(0, 1200000, 3000):
    sys.stdout.write("".join("line %d of a flood\n" % (n + i) for i in range(3000)))
    sys.stdout.flush()
    time.sleep(max(0, start + (n + 3000) / 300000 - time.monotonic()))
time.sleep(1)
print("the flood is over", flush=True)
time.sleep(1000)
"#;

/// Writes a number and the time, a hundred times a second.
const TICKER: &str = r#"#!/usr/bin/python3
import time
n = 0
while True:
    print("tick %d %d" % (n, time.time_ns()), flush=True)
    n += 1
    time.sleep(0.01)
"#;

fn app<'a>(platform: &'a TestPlatform, name: &str, script: &str) -> TestApp<'a> {
    let app = platform.app(name);
    app.write("bin/work", script).executable("bin/work");
    app.write("Procfile", "worker: bin/work\n").write("index.html", "hello").commit("Work").deploy();
    app
}

/// A tail of an app's log, and what it shows of the ticker.
struct Ticks {
    tail: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Ticks {
    fn follow(app: &TestApp<'_>) -> Self {
        let mut tail = app
            .platform
            .command(&binary("paasctl"), &app.dir)
            .args(["logs", "--tail", "-n", "0", "--ps", "worker.1", "--source", "app"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = Box::new(BufReader::new(tail.stdout.take().unwrap()).lines().map_while(Result::ok));
        Self { tail, lines }
    }

    /// Returns the number of the next tick, and how long it took to get here.
    fn next(&mut self) -> (u64, Duration) {
        loop {
            let line = self.lines.next().expect("the tail ended");
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let Some(tick) = line.split_once("tick ") else { continue };
            let (number, time) = tick.1.split_once(' ').unwrap();
            let then = Duration::from_nanos(time.parse().unwrap());
            return (number.parse().unwrap(), now.saturating_sub(then));
        }
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        let _ = self.tail.kill();
        let _ = self.tail.wait();
    }
}

/// What became of the lines of the flood.
#[derive(Debug, Default)]
struct Account {
    kept: u64,
    dropped: u64,
    /// Whether the log says that others, which nobody could count, are missing.
    missing: bool,
}

impl Account {
    /// Reads the log up to its last line. Where a line does not follow the one before, the log has said so, and how many are not
    /// there unless nobody could count them.
    async fn of(log: &LogDir) -> Self {
        let query =
            Query { process: Some("worker.1".to_owned()), source: Some(Source::App), ..Query::default() };
        let mut lines = log.tail(query, Position::START);
        let (mut account, mut next, mut dropped, mut missing) = (Self::default(), 0, 0, false);
        loop {
            let tailed = tokio::time::timeout(Duration::from_secs(60), lines.next()).await.unwrap();
            let Some(Tailed::Line(line)) = tailed else { panic!("not the whole log: {tailed:?}") };
            let number = line.text.strip_prefix("line ").and_then(|line| line.strip_suffix(" of a flood"));
            let over = (line.text == "the flood is over").then_some(LINES);
            if let Some(told) = line.text.strip_prefix("Error L10 (output buffer overflow): dropped ") {
                dropped += told.split_once(' ').unwrap().0.parse::<u64>().unwrap();
            } else if line.text.contains("lines are missing here") {
                missing = true;
            } else if let Some(number) = over.or(number.map(|number| number.parse().unwrap())) {
                let gap = number.checked_sub(next).expect("a line came twice");
                assert!(
                    gap == dropped || missing && gap > dropped,
                    "{gap} lines before {number}: {dropped} dropped"
                );
                account.kept += u64::from(over.is_none());
                account.dropped += dropped;
                account.missing |= missing;
                (next, dropped, missing) = (number + 1, 0, false);
                if over.is_some() {
                    return account;
                }
            }
        }
    }
}

fn log_of(platform: &TestPlatform, app: &str) -> LogDir {
    let (_, app) = platform.api("GET", &format!("/apps/{app}"), &platform.token, None);
    let dir = platform.data.join("logs").join(app["id"].as_str().unwrap());
    LogDir::open(dir, Bounds::default()).unwrap()
}

#[test]
fn each_line_of_a_flood_is_kept_or_counted_over_a_restart_and_a_neighbour_sees_its_lines_in_time() {
    let mut platform = TestPlatform::start();
    app(&platform, "ticker", TICKER).paasctl(&["scale", "worker=1"]);
    app(&platform, "noisy", FLOOD).paasctl(&["scale", "worker=1"]);
    platform.known_app("noisy").wait_for_log(" of a flood");
    let mut ticks = Ticks::follow(&platform.known_app("ticker"));
    let mut delays: Vec<Duration> = (0..200).map(|_| ticks.next().1).collect();
    drop(ticks);
    platform.restart(false);
    platform.known_app("noisy").wait_for_log("the flood is over");

    let log = log_of(&platform, "noisy");
    let account = tokio::runtime::Runtime::new().unwrap().block_on(Account::of(&log));
    delays.sort();
    eprintln!("beside a flood a tail shows a line after: p50 {:?}, p99 {:?}", delays[100], delays[198]);
    eprintln!("of {LINES} lines: {account:?}");
    // The Docker Engine throws away what it has no room for, and does not say how much that was.
    assert!(!account.missing || engine() == "docker");
    assert!(account.missing || account.kept + account.dropped == LINES);
    assert!(account.dropped > 0, "nothing was too much");
}

#[test]
fn a_tail_goes_on_over_restarts_of_the_server_without_a_gap_or_a_line_twice() {
    let mut platform = TestPlatform::start();
    app(&platform, "ticker", TICKER).paasctl(&["scale", "worker=1"]);
    let mut ticks = Ticks::follow(&platform.known_app("ticker"));
    let (mut last, _) = ticks.next();
    for orderly in [true, false] {
        platform.restart(orderly);
        let until = last + 300;
        while last < until {
            let (number, _) = ticks.next();
            assert_eq!(number, last + 1, "a gap, or a line twice");
            last = number;
        }
    }
}

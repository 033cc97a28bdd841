//! One control plane with 500 hosts: what it uses idle and during a deploy of 1,000 replicas, how soon a host has what was
//! wished for, and how fast logs arrive. The hosts are simulated in this process, over the real protocol; what is measured is
//! the real server. Floors are taken in the same run: TLS long-polls at a bare server, and bytes appended to files. Asserts
//! only that nothing was lost.

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
#[path = "fleet/floor.rs"]
mod floor;
#[path = "fleet/lines.rs"]
mod lines;
#[path = "../tests/stories/load.rs"]
mod load;
#[path = "../tests/stories/place.rs"]
mod place;
#[path = "../tests/stories/platform.rs"]
mod platform;
#[path = "scale/process.rs"]
mod process;
#[path = "../tests/simulated/mod.rs"]
mod simulated;
#[path = "../tests/stories/visitor.rs"]
mod visitor;
#[path = "../tests/stories/wait.rs"]
mod wait;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use platform::TestPlatform;
use process::Stopwatch;
use serde_json::json;
use simulated::{Manner, Population, Simulated};

const HOSTS: usize = 500;

/// Apps with many replicas, and how many each has: the most that one process type may.
const APPS: usize = 10;
const EACH: usize = 100;

/// How long nothing is done while processor time is counted.
const IDLE: Duration = Duration::from_secs(10);

/// How many wishes are followed to their host.
const WISHES: u32 = 100;

fn main() {
    // `cargo bench` and `cargo nextest` pass flags of their own; a bench that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if let Some(dir) = std::env::args().skip_while(|argument| argument != "floor").nth(1) {
        return floor::serve(dir.as_ref());
    }
    raise_file_limit();
    let cores = std::thread::available_parallelism().unwrap();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("{HOSTS} simulated hosts and the server on one machine: {cores} cores, load average {load}");
    let floor = floor::measure(HOSTS, IDLE, WISHES);
    let fleet = Fleet::start();
    fleet.scale_up();
    fleet.idle(&floor);
    fleet.wishes(&floor);
    fleet.deploy();
    fleet.lists();
    lines::measure(&fleet);
}

struct Fleet {
    platform: TestPlatform,
    simulated: Simulated,
    population: Population,
    dir: tempfile::TempDir,
}

impl Fleet {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let names: Vec<String> = (0..APPS).map(big).chain(["small".to_owned()]).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let population = Population::write(&data, &names, HOSTS);
        let free = address::reserve();
        let listen = free.to_string();
        // What the server's own machine offers is too little for a replica.
        let options = ["--agent-listen", &listen, "--zone", "none", "--host-mb", "1"];
        let platform = TestPlatform::start_on(&data, &options, place::Place::default(), Ipv4Addr::LOCALHOST);
        let watch = Stopwatch::start(platform.server_pid());
        let simulated = Simulated::join(free, &population, &dir.path().join("hosts"), Manner::LARGE);
        row("join", &format!("{:.2} s, {}", watch.elapsed().as_secs_f64(), used(watch)));
        Self { platform, simulated, population, dir }
    }

    fn pid(&self) -> u32 {
        self.platform.server_pid()
    }

    fn ask(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> serde_json::Value {
        let (status, answer) = self.platform.api(method, path, &self.platform.token, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    fn scale_up(&self) {
        let watch = Stopwatch::start(self.pid());
        for app in (0..APPS).map(big) {
            self.ask("PATCH", &format!("/apps/{app}/formation/web"), Some(json!({ "quantity": EACH })));
        }
        for app in (0..APPS).map(big) {
            wait::until("all replicas", || (self.simulated.count(&app, 1).0 == EACH).then_some(()));
        }
        row(
            &format!("{APPS} apps from 0 to {EACH} replicas"),
            &format!("{:.2} s, {}", watch.elapsed().as_secs_f64(), used(watch)),
        );
        wait::until("an answer of the app", || {
            visitor::get(self.platform.router, "big-0.localhost", "/")
                .is_ok_and(|answer| answer.status == 200)
                .then_some(())
        });
    }

    fn idle(&self, floor: &floor::Floor) {
        std::thread::sleep(Duration::from_secs(2));
        self.simulated.journal.take_answered();
        let watch = Stopwatch::start(self.pid());
        std::thread::sleep(IDLE);
        let text = format!(
            "{:.1} % of a core (floor {:.1} %), {:.0} MB (floor {:.0} MB)",
            watch.share(),
            floor.idle_share,
            process::memory(self.pid()),
            floor.memory,
        );
        row("idle", &text);
        row("idle: a report is answered", &percentiles(self.simulated.journal.take_answered()));
    }

    /// From a request that scales an app up by one to the host that has the wish.
    fn wishes(&self, floor: &floor::Floor) {
        let mut took = Vec::new();
        for number in 1..=WISHES {
            let began = Instant::now();
            self.ask("PATCH", "/apps/small/formation/web", Some(json!({ "quantity": number })));
            let arrived = wait::until("the wish", || self.simulated.journal.arrival("small", 1, number));
            took.push(arrived - began);
        }
        row("a wish reaches its host", &percentiles(took));
        row("  floor: a request wakes a long-poll", &percentiles(floor.wakes.clone()));
    }

    fn deploy(&self) {
        wait::until("rest", || (self.simulated.count("small", 1).0 == WISHES as usize).then_some(()));
        self.simulated.journal.take_answered();
        process::forget_peak(self.pid());
        let watch = Stopwatch::start(self.pid());
        for app in (0..APPS).map(big) {
            self.ask("PATCH", &format!("/apps/{app}/config-vars"), Some(json!({ "GREETING": "two" })));
        }
        for app in (0..APPS).map(big) {
            wait::until("the release", || {
                let release = self.ask("GET", &format!("/apps/{app}/releases/2"), None);
                assert_ne!(release["status"], "failed", "{release}");
                (release["status"] == "succeeded").then_some(())
            });
        }
        let text = format!(
            "{:.2} s, {}, at most {:.0} MB",
            watch.elapsed().as_secs_f64(),
            used(watch),
            process::peak(self.pid())
        );
        row(&format!("deploy of {} replicas", APPS * EACH), &text);
        for app in (0..APPS).map(big) {
            wait::until("the old ones to end", || (self.simulated.count(&app, 2) == (EACH, 0)).then_some(()));
        }
        row(
            "  until the old ones are gone",
            &format!("{:.2} s, {}", watch.elapsed().as_secs_f64(), used(watch)),
        );
        row("  a report is answered", &percentiles(self.simulated.journal.take_answered()));
    }

    /// What people ask for.
    fn lists(&self) {
        let timed = |path: &str| {
            let took = (0..10).map(|_| {
                let began = Instant::now();
                self.ask("GET", path, None);
                began.elapsed()
            });
            percentiles(took.collect())
        };
        row("GET /hosts (200 of them)", &timed("/hosts"));
        row("GET /hosts/host-007", &timed("/hosts/host-007"));
        row("GET /apps/big-0/dynos (100)", &timed("/apps/big-0/dynos"));
    }
}

fn big(number: usize) -> String {
    format!("big-{number}")
}

fn used(watch: Stopwatch) -> String {
    format!("{:.2} s of processor time ({:.0} % of a core)", watch.used(), watch.share())
}

fn row(what: &str, figures: &str) {
    println!("{what:<40}{figures}");
}

fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: f64| {
        let place = (took.len() as f64 * share) as usize;
        took.get(place.min(took.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    format!("median {:.1} ms, p99 {:.1} ms, of {}", at(0.5), at(0.99), took.len())
}

fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

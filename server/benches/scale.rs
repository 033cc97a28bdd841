//! What a start and doing nothing cost on a platform with a long history. It is written through the store, as serving would
//! have left it; what is measured is the real server on it. Prints figures beside their targets; asserts nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measured")]

#[path = "scale/history.rs"]
mod history;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the server is left alone before its memory is read, and again while its time is counted.
const SETTLE: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(40);

const STARTS: usize = 5;

/// Ticks of the clock by which the kernel counts a process's time, per second.
const TICKS: f64 = 100.0;

fn main() {
    // `cargo bench` and `cargo nextest` pass flags of their own; a bench that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    println!("{:<34}{:>14}{:>14}{:>14}", "", "start", "idle memory", "idle CPU");
    println!("{:<34}{:>14}{:>14}{:>14}", "target", "500 ms", "40 / 150 MB", "1 %");
    for (apps, releases) in [(10, 1_000), (1_000, 100_000)] {
        let dir = tempfile::tempdir().unwrap();
        history::write(dir.path(), apps, releases / apps);
        measure(dir.path(), &format!("{apps} apps, {releases} releases"));
    }
}

fn measure(data: &Path, name: &str) {
    let mut starts = Vec::new();
    for round in 0..=STARTS {
        let begun = Instant::now();
        let mut server = start(data);
        wait_until_healthy(data, &mut server);
        let took = begun.elapsed();
        if round < STARTS {
            // The first finds the files of this run's history in no cache.
            starts.push(took);
            stop(&mut server);
            continue;
        }
        std::thread::sleep(SETTLE);
        let memory = memory(server.id());
        let before = ticks(server.id());
        std::thread::sleep(IDLE);
        let share = (ticks(server.id()) - before) / TICKS / IDLE.as_secs_f64() * 100.0;
        starts.sort();
        let median = starts[starts.len() / 2].as_millis();
        println!("{name:<34}{median:>11} ms{memory:>11.1} MB{share:>12.2} %");
        stop(&mut server);
    }
}

fn start(data: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(data.with_extension("log")).unwrap();
    let _ = std::fs::remove_file(data.join("run/addresses.json"));
    Command::new(env!("CARGO_BIN_EXE_paasd"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--router-listen",
            "127.0.0.1:0",
            "--engine",
            "sandbox",
            "--data-dir",
        ])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Asks `/health` from when the server says where it listens.
fn wait_until_healthy(data: &Path, server: &mut Child) {
    let file = data.join("run/addresses.json");
    loop {
        assert!(
            server.try_wait().unwrap().is_none(),
            "the server ended; {}",
            data.with_extension("log").display()
        );
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let addresses: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(address) = addresses["listen"].as_str()
            && ureq::get(format!("http://{address}/health")).call().is_ok_and(|answer| answer.status() == 200)
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stop(server: &mut Child) {
    let pid = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    server.wait().unwrap();
}

/// Returns the resident memory of a process in megabytes.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024.0 / 1e6
}

/// Returns the time a process has used, in ticks (proc(5): `utime` and `stime` of `stat`).
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

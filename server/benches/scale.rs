//! What a start and doing nothing cost on a platform with a long history. It is written through the store, as serving would
//! have left it; what is measured is the real server on it. Prints figures beside their targets; asserts nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measured")]

#[path = "scale/history.rs"]
mod history;
#[path = "scale/process.rs"]
mod process;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use process::{Stopwatch, memory};

/// How long the server is left alone before its memory is read, and again while its time is counted.
const SETTLE: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(40);

const STARTS: usize = 5;

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
        let idle = Stopwatch::start(server.id());
        std::thread::sleep(IDLE);
        let share = idle.share();
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

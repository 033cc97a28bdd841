//! `cargo bench -p logs` prints how many lines a second one pump takes from a pipe, with and without the rate that
//! replicas are held to; how soon a tail shows a line while another app floods; what reading back and opening cost.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use logs::{Bounds, LinePump, LogDir, Origin, Position, Query, Rate, Source, Tailed};

/// Bytes written in each measurement.
const VOLUME: usize = 512 << 20;
/// Lines whose way to a tail is timed.
const TIMED: usize = 2_000;
/// Apps that are opened.
const APPS: usize = 1_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    for length in [20, 100, 500] {
        for (name, rate) in [("no limit", Rate::UNLIMITED), ("default rate", Rate::default())] {
            let took = flood(length, rate)?;
            let lines = (VOLUME / length) as f64 / took.as_secs_f64();
            let volume = VOLUME as f64 / took.as_secs_f64() / 1e6;
            say(&format!("pump, {length} bytes a line, {name}: {lines:.0} lines/s, {volume:.0} MB/s"))?;
        }
    }
    latency()?;
    reading()?;
    opening()
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn web() -> Origin {
    Origin::new(Source::App, "web.1", Some(41))
}

fn flood(length: usize, rate: Rate) -> Outcome<Duration> {
    let dir = tempfile::tempdir()?;
    let log = LogDir::open(dir.path(), Bounds::default())?;
    let mut pump = LinePump::new(log.writer(), web(), rate);
    let (output, mut input) = std::io::pipe()?;
    let line = [vec![b'x'; length - 1], vec![b'\n']].concat();
    let chunk = line.repeat((64 << 10) / length);
    let start = Instant::now();
    let replica = thread::spawn(move || {
        let mut left = VOLUME;
        while left > 0 {
            let now = chunk.len().min(left);
            if input.write_all(&chunk[..now]).is_err() {
                return;
            }
            left -= now;
        }
    });
    pump.drain(output)?;
    replica.join().map_err(|_| "the replica's thread died")?;
    Ok(start.elapsed())
}

/// A line each millisecond in one app, while a replica of another writes as fast as it can.
fn latency() -> Outcome<()> {
    let root = tempfile::tempdir()?;
    let noisy = LogDir::open(root.path().join("noisy"), Bounds::default())?;
    let quiet = LogDir::open(root.path().join("quiet"), Bounds::default())?;
    let over = Arc::new(AtomicBool::new(false));
    let (flooding, mut pump) = (Arc::clone(&over), LinePump::new(noisy.writer(), web(), Rate::default()));
    let flood = thread::spawn(move || {
        let chunk = [vec![b'x'; 99], vec![b'\n']].concat().repeat(600);
        while !flooding.load(Ordering::Relaxed) {
            pump.push(&chunk);
        }
    });
    let delays = tokio::runtime::Runtime::new()?.block_on(async {
        let mut tail = quiet.tail(Query::default(), Position::START);
        let mut watched = noisy.tail(Query::default(), Position::START);
        tokio::spawn(async move { while watched.next().await.is_some() {} });
        let writer = quiet.writer();
        thread::spawn(move || {
            for number in 0..TIMED {
                writer.append(&web(), number.to_string());
                thread::sleep(Duration::from_millis(1));
            }
        });
        let mut delays = Vec::new();
        while delays.len() < TIMED {
            if let Some(Tailed::Line(line)) = tail.next().await {
                delays.push(Timestamp::now().duration_since(line.at));
            }
        }
        delays
    });
    over.store(true, Ordering::Relaxed);
    flood.join().map_err(|_| "the flood died")?;
    say(&format!("tail beside a flood: {}", percentiles(delays)))
}

fn percentiles(mut delays: Vec<SignedDuration>) -> String {
    delays.sort();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_micros();
    format!("p50 {} us, p99 {} us, most {} us", at(0.5), at(0.99), at(1.0))
}

fn reading() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let log = LogDir::open(dir.path(), Bounds::default())?;
    let mut pump = LinePump::new(log.writer(), web(), Rate::UNLIMITED);
    let chunk = [vec![b'x'; 99], vec![b'\n']].concat().repeat(600);
    (0..2_000).for_each(|_| pump.push(&chunk));
    let second_ago = Timestamp::now().checked_sub(Duration::from_millis(100))?;
    let hundred = Query { lines: Some(100), ..Query::default() };
    for (name, query) in [
        ("the last 100", hundred.clone()),
        ("100 since 0.1 s", Query { since: Some(second_ago), ..hundred.clone() }),
        ("100 of a type that is not there", Query { process: Some("worker".to_owned()), ..hundred }),
    ] {
        let before = bytes_read()?;
        let start = Instant::now();
        log.read(&query)?;
        let (took, bytes) = (start.elapsed(), bytes_read()? - before);
        say(&format!("a full log, {name}: {took:?}, {} KB read", bytes / 1024))?;
    }
    Ok(())
}

fn bytes_read() -> Outcome<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let count = io.lines().find_map(|line| line.strip_prefix("rchar: ")).ok_or("no count of bytes")?;
    Ok(count.parse()?)
}

fn opening() -> Outcome<()> {
    let root = tempfile::tempdir()?;
    for app in 0..APPS {
        sparse_history(&root.path().join(app.to_string()))?;
    }
    let files = || -> Outcome<usize> { Ok(fs::read_dir("/proc/self/fd")?.count()) };
    let (before, read) = (files()?, bytes_read()?);
    let start = Instant::now();
    let opened = (0..APPS).map(|app| LogDir::open(root.path().join(app.to_string()), Bounds::default()));
    let opened = opened.collect::<Result<Vec<_>, _>>()?;
    let took = start.elapsed();
    let (files, read) = (files()? - before, bytes_read()? - read);
    say(&format!("{} apps of 64 MB opened: {took:?}, {files} descriptors, {read} bytes read", opened.len()))
}

fn sparse_history(dir: &Path) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    for number in 1..=64 {
        fs::File::create(dir.join(format!("router.{number:010}.log")))?.set_len(1 << 20)?;
    }
    Ok(())
}

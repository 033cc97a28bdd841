//! How many lines a second one pump carries from a pipe to the disk.
//! `cargo bench -p logs` prints lines/s and MB/s for short and usual lines.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use logs::{Bounds, LinePump, LogDir, Origin, Query, Rate, Source};

/// Bytes written in each measurement.
const VOLUME: usize = 512 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    for length in [20, 100, 500] {
        let took = measure(length)?;
        let lines = (VOLUME / length) as f64 / took.as_secs_f64();
        let volume = VOLUME as f64 / took.as_secs_f64() / 1e6;
        writeln!(std::io::stdout(), "pump, lines of {length} bytes: {lines:.0} lines/s, {volume:.0} MB/s")?;
    }
    writeln!(std::io::stdout(), "last 100 of a full log: {:?}", measure_read(None)?)?;
    writeln!(
        std::io::stdout(),
        "last 100 of a process that is not there: {:?}",
        measure_read(Some("worker"))?
    )?;
    Ok(())
}

fn measure(length: usize) -> Result<Duration, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let log = LogDir::open(dir.path(), Bounds::default())?;
    let origin = Origin::new(Source::App, "web.1", Some(41));
    let unlimited = Rate { bytes_per_second: u64::MAX, burst: u64::MAX };
    let mut pump = LinePump::new(log.writer(), origin, unlimited);
    let (output, mut input) = std::io::pipe()?;
    let line = [vec![b'x'; length - 1], vec![b'\n']].concat();
    let chunk = line.repeat((64 << 10) / length);
    let start = Instant::now();
    let replica = std::thread::spawn(move || {
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

fn measure_read(process: Option<&str>) -> Result<Duration, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let log = LogDir::open(dir.path(), Bounds::default())?;
    let unlimited = Rate { bytes_per_second: u64::MAX, burst: u64::MAX };
    let mut pump = LinePump::new(log.writer(), Origin::new(Source::App, "web.1", Some(41)), unlimited);
    let chunk = [vec![b'x'; 99], vec![b'\n']].concat().repeat(600);
    for _ in 0..2_000 {
        pump.push(&chunk);
    }
    let query = Query { lines: Some(100), process: process.map(str::to_owned), ..Query::default() };
    let start = Instant::now();
    log.read(&query)?;
    Ok(start.elapsed())
}

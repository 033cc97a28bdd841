//! What hiding config values costs a build's log: `cargo bench -p build --bench mask` prints the time to open a log,
//! and to write a megabyte to it.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use build::BuildLog;
use model::config::ConfigVars;

const LINES: usize = 25_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let usual: Vec<_> =
        (0..30).map(|n| (format!("KEY_{n}"), format!("{n}-a secret of usual length"))).collect();
    let lines = |from: usize| {
        (from..from + LINES / 20).map(|n| format!("line {n:06} of a long key in lines\n")).collect()
    };
    let large: Vec<(String, String)> = (0..20).map(|n| (format!("KEY_{n}"), lines(n * LINES))).collect();
    for (name, values) in [("30 usual values", usual), ("1 MB of values in 25,000 lines", large)] {
        measure(&dir.path().join(name), name, &config(&values)?)?;
    }
    Ok(())
}

fn config(values: &[(String, String)]) -> Outcome<ConfigVars> {
    let mut changes = Vec::new();
    for (name, value) in values {
        changes.push((name.parse()?, Some(value.as_str().into())));
    }
    Ok(ConfigVars::default().changed(changes)?)
}

fn measure(path: &Path, name: &str, config: &ConfigVars) -> Outcome<()> {
    let start = Instant::now();
    let log = BuildLog::open(path, config)?;
    let opened = start.elapsed();
    let text: String = (0..LINES).map(|n| format!("Downloading package-{n} (line of a log)\n")).collect();
    let start = Instant::now();
    text.as_bytes().chunks(64 << 10).for_each(|chunk| log.output(chunk));
    let in_chunks = start.elapsed();
    let start = Instant::now();
    text.split_inclusive('\n').for_each(|line| log.output(line.as_bytes()));
    let by_line = start.elapsed();
    log.end();
    writeln!(
        std::io::stdout(),
        "{name}: open {opened:?}, 1 MB in chunks {in_chunks:?}, line by line {by_line:?}"
    )?;
    Ok(())
}

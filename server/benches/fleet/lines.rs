//! How fast the logs of all hosts arrive, and that each line does once.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use logs::{Bounds, LogDir, Query, Source};

use crate::process::Stopwatch;
use crate::{Fleet, row, used, wait};

/// Lines of each replica. Those of one app stay below what its log keeps.
const LINES: usize = 300;

/// The text of a line, about as long as those of web servers.
const TEXT: &str = "10.0.0.1 - - \"GET /a/path/of/some/length HTTP/1.1\" 200 1234 \"a browser\"";

pub(crate) fn measure(fleet: &Fleet) {
    let mut written = 0;
    for (host, running) in fleet.simulated.running() {
        let text = format!("{TEXT} {} line", running.spec.id);
        fleet.simulated.hosts[host].write_lines(&running, &text, 0..LINES);
        written += LINES;
    }
    let spool = |number: usize| fleet.dir.path().join(format!("hosts/host-{number}/logs"));
    let spooled: Vec<Vec<u8>> =
        (0..fleet.simulated.hosts.len()).map(|number| content(&spool(number))).collect();
    let bytes: usize = spooled.iter().map(Vec::len).sum();
    let logs = fleet.platform.data.join("logs");
    let before = size(&logs);
    let watch = Stopwatch::start(fleet.pid());
    fleet.simulated.ship();
    wait::until("all lines", || (size(&logs) - before >= bytes).then_some(()));
    let took = watch.elapsed();
    let rate = written as f64 / took.as_secs_f64();
    row(
        "logs",
        &format!("{written} lines in {:.2} s: {rate:.0} lines/s, {}", took.as_secs_f64(), used(watch)),
    );
    let floor = append(&fleet.dir.path().join("floor"), &spooled);
    row("  floor: appended to a file per host", &format!("{:.0} lines/s", written as f64 / floor));
    let mut lines = BTreeSet::new();
    let mut count = 0;
    for app in &fleet.population.apps {
        let query = Query { source: Some(Source::App), ..Query::default() };
        let log = LogDir::open(logs.join(app.to_string()), Bounds::default()).unwrap();
        for line in log.range(query).unwrap().flat_map(Result::unwrap) {
            count += 1;
            lines.insert(line.text);
        }
    }
    assert_eq!((count, lines.len()), (written, written), "each line is there once");
    row("  arrived, each once", &count.to_string());
}

/// Appends in pieces as they are sent, and returns the seconds that took.
fn append(dir: &Path, spooled: &[Vec<u8>]) -> f64 {
    fs::create_dir_all(dir).unwrap();
    let began = Instant::now();
    for (number, bytes) in spooled.iter().enumerate() {
        for piece in bytes.chunks(256 << 10) {
            let path = dir.join(number.to_string());
            fs::File::options().append(true).create(true).open(path).unwrap().write_all(piece).unwrap();
        }
    }
    began.elapsed().as_secs_f64()
}

/// Returns the files of the logs below a folder.
fn files(dir: &Path) -> impl Iterator<Item = fs::DirEntry> {
    let logs = fs::read_dir(dir).into_iter().flatten().flatten();
    logs.flat_map(|log| fs::read_dir(log.path()).into_iter().flatten().flatten())
}

fn content(dir: &Path) -> Vec<u8> {
    files(dir).flat_map(|file| fs::read(file.path()).unwrap()).collect()
}

fn size(dir: &Path) -> usize {
    files(dir).map(|file| usize::try_from(file.metadata().unwrap().len()).unwrap()).sum()
}

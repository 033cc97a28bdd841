//! How fast the logs of all hosts arrive, and that each line does once.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use logs::{Bounds, LogDir, Query, Source};

use crate::process::Stopwatch;
use crate::{Fleet, row, used, wait};

/// Lines of each host. All together stay below what an app's log keeps.
const LINES: usize = 600;

/// The text of a line, about as long as those of web servers.
const TEXT: &str = "10.0.0.1 - - \"GET /a/path/of/some/length HTTP/1.1\" 200 1234 \"a browser\"";

pub(crate) fn measure(fleet: &Fleet) {
    let app = fleet.population.apps[0];
    let mut written = 0;
    for (number, host) in fleet.simulated.hosts.iter().enumerate() {
        let running = host.engine.running().into_iter().find(|running| running.spec.app == app);
        let Some(running) = running else { continue };
        host.write_lines(&running, &format!("{TEXT} host {number} line"), 0..LINES);
        written += LINES;
    }
    let spooled: Vec<Vec<u8>> = (0..fleet.simulated.hosts.len())
        .map(|number| content(&fleet.dir.path().join(format!("hosts/host-{number}/logs/{app}"))))
        .collect();
    let bytes: usize = spooled.iter().map(Vec::len).sum();
    let log = fleet.platform.data.join("logs").join(app.to_string());
    let before = size(&log);
    let watch = Stopwatch::start(fleet.pid());
    fleet.simulated.ship();
    wait::until("all lines", || (size(&log) - before >= bytes).then_some(()));
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
    let query = Query { source: Some(Source::App), ..Query::default() };
    for found in LogDir::open(&log, Bounds::default()).unwrap().range(query).unwrap() {
        for line in found.unwrap() {
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

fn content(dir: &Path) -> Vec<u8> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.flat_map(|file| fs::read(file.path()).unwrap()).collect()
}

fn size(dir: &Path) -> usize {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.map(|file| usize::try_from(file.metadata().unwrap().len()).unwrap()).sum()
}

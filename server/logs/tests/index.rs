//! What reading back costs, in bytes that the kernel is asked for. One test only: the count is the process's.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;

use jiff::{SignedDuration, Timestamp};
use logs::{Bounds, LogDir, Query, Source};

const LINES: i64 = 8_000;

/// Writes 60 MB, a line a millisecond, the lanes in turn.
fn a_full_log(dir: &std::path::Path, start: Timestamp) {
    for number in 0..60 {
        let (lane, source, process) =
            [("router", "router", "router"), ("platform", "platform", "web.1")][number % 2];
        let mut bytes = Vec::new();
        for line in 0..LINES {
            let at = start + SignedDuration::from_millis(number as i64 * LINES + line);
            let stamp = format!("{at:.6} {source}[{process}] ");
            let text = "x".repeat(70);
            let sum = crc32fast::hash(format!("{stamp}{text}").as_bytes());
            bytes.extend_from_slice(format!("{stamp}{sum:08x}: {text}\n").as_bytes());
        }
        fs::write(dir.join(format!("{lane}.{:010}.log", number / 2 + 1)), bytes).unwrap();
    }
}

fn bytes_read() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn the_last_lines_and_a_moment_long_ago_are_found_without_reading_what_lies_between() {
    let dir = tempfile::tempdir().unwrap();
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    a_full_log(dir.path(), start);
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let cost = |query: &Query| {
        let before = bytes_read();
        (log.read(query).unwrap().lines.len(), bytes_read() - before)
    };
    let at = |millis| start + SignedDuration::from_millis(millis);
    let ends_at = 60 * LINES;

    let (lines, last) = cost(&Query { lines: Some(100), ..Query::default() });
    assert!(lines == 100 && last < 150_000, "{lines} lines for {last} bytes");
    let (lines, last) = cost(&Query { lines: Some(100), source: Some(Source::Router), ..Query::default() });
    assert!(lines == 100 && last < 150_000, "{lines} lines for {last} bytes");
    let (lines, since) = cost(&Query { since: Some(at(ends_at - 1_000)), ..Query::default() });
    assert!(lines == 1_000 && since < 1_500_000, "{lines} lines for {since} bytes");
    let (since, until) = (Some(at(100_000)), Some(at(100_100)));
    let (lines, moment) = cost(&Query { since, until, ..Query::default() });
    assert!(lines == 101 && moment < 3_000_000, "{lines} lines for {moment} bytes");
    let (lines, all) = cost(&Query { process: Some("nobody".to_owned()), ..Query::default() });
    assert!(lines == 0 && all > 60_000_000, "the count counts nothing: {all}");
}

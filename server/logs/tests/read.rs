//! Reading back: the last lines, by filter and by time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;

use jiff::Timestamp;
use logs::{Bounds, LogDir, Origin, Query, Source};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Writes a segment by hand, so that the times are known.
fn segment(
    dir: &tempfile::TempDir,
    number: u64,
    lines: impl Iterator<Item = (Timestamp, &'static str, String)>,
) {
    let mut bytes = Vec::new();
    for (at, process, text) in lines {
        let stamp = format!("{at:.6} router[{process}] v1 ");
        let sum = crc32fast::hash(format!("{stamp}{text}").as_bytes());
        bytes.extend_from_slice(format!("{stamp}{sum:08x}: {text}\n").as_bytes());
    }
    fs::write(dir.path().join(format!("router.{number:010}.log")), bytes).unwrap();
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Three segments of 1000 lines each, one a second, with neighbours in the wrong order.
fn a_log() -> (tempfile::TempDir, LogDir) {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..3 {
        segment(
            &dir,
            number + 1,
            (number as i64 * 1000..(number as i64 + 1) * 1000).map(|second| {
                let skewed = second + [0, 1, -1][second as usize % 3];
                let process = ["web.1", "web.2", "worker.1"][second as usize % 7 % 3];
                (at(skewed), process, skewed.to_string())
            }),
        );
    }
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    (dir, log)
}

fn seconds(log: &LogDir, query: &Query) -> Vec<i64> {
    log.read(query).unwrap().lines.iter().map(|line| line.text.parse().unwrap()).collect()
}

#[test]
fn an_empty_stream_has_no_lines() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    assert_eq!(log.read(&Query::default()).unwrap().lines, []);
    assert_eq!(log.read(&Query { until: Some(at(0)), ..Query::default() }).unwrap().lines, []);
}

#[test]
fn sources_and_processes_are_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let writer = log.writer();
    writer.append(&Origin::new(Source::App, "web.1", Some(1)), "one");
    writer.append(&Origin::new(Source::Router, "router", None), "two");
    writer.append(&Origin::new(Source::Platform, "web.1", None), "three\nfour");
    let texts = |query: Query| -> Vec<String> {
        log.read(&query).unwrap().lines.into_iter().map(|line| line.text).collect()
    };
    assert_eq!(texts(Query { source: Some(Source::Router), ..Query::default() }), ["two"]);
    assert_eq!(
        texts(Query { process: Some("web".to_owned()), ..Query::default() }),
        ["one", "three", "four"]
    );
    assert_eq!(texts(Query { lines: Some(2), ..Query::default() }), ["three", "four"]);
    assert_eq!(texts(Query { lines: Some(0), ..Query::default() }), [""; 0]);
}

#[test]
fn a_query_by_time_gives_what_a_full_scan_would() {
    let (_dir, log) = a_log();
    let second = || prop::option::of(-5i64..3_005);
    let process = prop::option::of(prop_oneof![Just("web.1"), Just("web")]);
    let queries = (second(), second(), prop::option::of(0usize..3_000), process);
    let given =
        TestRunner::new(ProptestConfig::with_cases(64)).run(&queries, |(since, until, lines, process)| {
            let filter = Query { process: process.map(str::to_owned), ..Query::default() };
            let mut expected: Vec<i64> = seconds(&log, &filter)
                .into_iter()
                .filter(|second| since.is_none_or(|since| *second >= since))
                .filter(|second| until.is_none_or(|until| *second <= until))
                .collect();
            expected.drain(..expected.len().saturating_sub(lines.unwrap_or(usize::MAX)));

            let query = Query { since: since.map(at), until: until.map(at), lines, ..filter };

            prop_assert_eq!(seconds(&log, &query), expected);
            Ok(())
        });
    given.unwrap();
}

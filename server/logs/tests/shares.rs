//! Whose lines are kept when there are too many.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use logs::{Bounds, LinePump, LogDir, Origin, Query, Rate, Source};

fn size_of(dir: &std::path::Path) -> u64 {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_replica_that_floods_pushes_out_no_line_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { segment: 64 << 10, total: 1 << 20, ..Bounds::default() };
    let log = LogDir::open(dir.path(), bounds).unwrap();
    let quiet = [
        Origin::new(Source::App, "web.2", Some(1)),
        Origin::new(Source::Router, "router", None),
        Origin::new(Source::Platform, "web.1", None),
    ];
    let writer = log.writer();
    let mut flood = LinePump::new(log.writer(), Origin::new(Source::App, "web.1", Some(1)), Rate::UNLIMITED);
    let chunk = [vec![b'x'; 99], vec![b'\n']].concat().repeat(600);
    for number in 0..500 {
        quiet.iter().for_each(|origin| writer.append(origin, number.to_string()));
        flood.push(&chunk);
        assert!(size_of(dir.path()) < bounds.total + (64 << 10), "the whole is too large");
    }

    let numbers: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    for source in [Source::Router, Source::Platform] {
        let query = Query { source: Some(source), ..Query::default() };
        let texts: Vec<_> = log.read(&query).unwrap().lines.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, numbers, "{source}");
    }
    let query = Query { process: Some("web.2".to_owned()), ..Query::default() };
    let texts: Vec<_> = log.read(&query).unwrap().lines.into_iter().map(|line| line.text).collect();
    assert_eq!(texts, numbers);
    let noisy = log.read(&Query { process: Some("web.1".to_owned()), ..Query::default() }).unwrap();
    assert!(noisy.lines.len() > 5_000, "{} lines of the flood are left", noisy.lines.len());
}

//! What a host wrote arrives: whole, in order, once, and what it had to give up is counted.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use logs::{Bounds, LogDir, Origin, Query, Source, Spool};
use tempfile::TempDir;

const HOST: u128 = 0x0123_4567_89ab;
const STREAM: &str = "app";
const BOOT: &str = "the first start of the machine";

/// A host that writes and a server that receives.
struct Pair {
    dirs: [TempDir; 2],
    spool: Spool,
    host: LogDir,
    server: LogDir,
    dropped: u64,
}

impl Pair {
    fn new(bounds: Bounds) -> Self {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let spool = Spool::open(dirs[0].path().to_owned(), BOOT).unwrap();
        let host = LogDir::open(dirs[0].path().join(STREAM), bounds).unwrap();
        let server = LogDir::open(dirs[1].path().join(STREAM), Bounds::default()).unwrap();
        Self { dirs, spool, host, server, dropped: 0 }
    }

    fn write(&self, lines: std::ops::Range<u32>) {
        let writer = self.host.writer();
        let origin = Origin::new(Source::App, "web.1", Some(1));
        lines.for_each(|line| writer.append(&origin, format!("line {line}")));
    }

    /// Sends what there is, and returns how many pieces that took. Of each answer `lose` says whether it is lost.
    fn send(&mut self, mut lose: impl FnMut(usize) -> bool) -> usize {
        for round in 0.. {
            let pieces = self.spool.pieces(u64::MAX).unwrap();
            if pieces.is_empty() {
                return round;
            }
            assert!(round < 1_000, "{pieces:?}");
            for piece in pieces {
                let received = self.server.receive(HOST, &piece).unwrap();
                self.dropped += received.dropped;
                if !lose(round) {
                    self.spool.settle(&piece, received.offset, received.unwanted).unwrap();
                }
            }
        }
        unreachable!()
    }

    fn arrived(&self) -> Vec<String> {
        let query = Query { lines: Some(100_000), process: Some("web.1".to_owned()), ..Query::default() };
        self.server.read(&query).unwrap().lines.into_iter().map(|line| line.text).collect()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.dirs[0].path().join(STREAM)).unwrap().count()
    }
}

fn lines(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|line| format!("line {line}")).collect()
}

fn small() -> Bounds {
    Bounds { segment: 1_000, total: 10_000, ..Bounds::default() }
}

#[test]
fn all_lines_arrive_once_though_answers_are_lost_and_the_host_forgets_how_far_it_was() {
    let mut pair = Pair::new(Bounds { segment: 1_000, ..Bounds::default() });
    pair.write(0..100);
    pair.send(|round| round % 3 == 1);
    assert_eq!(pair.arrived(), lines(0..100));
    assert_eq!(pair.files(), 1, "what was sent is deleted, but for the segment that is written to");
    pair.write(100..150);
    pair.spool = Spool::open(pair.dirs[0].path().to_owned(), BOOT).unwrap();
    pair.send(|round| round % 2 == 0 && round < 20);
    assert_eq!(pair.arrived(), lines(0..150));
    assert_eq!(pair.dropped, 0);
}

#[test]
fn what_is_given_up_before_it_was_sent_is_counted_to_the_line() {
    let mut pair = Pair::new(small());
    pair.write(0..5);
    pair.send(|_| false);
    pair.write(5..1_000);
    pair.send(|round| round < 3);
    let arrived = pair.arrived();
    assert_eq!(arrived[..5], lines(0..5));
    assert_eq!(arrived.last().unwrap(), "line 999");
    assert!(pair.dropped > 100 && arrived.len() > 10, "{} and {}", pair.dropped, arrived.len());
    assert_eq!(arrived.len() as u64 + pair.dropped, 1_000);
}

#[test]
fn lines_after_a_power_loss_arrive_though_it_took_what_had_been_sent() {
    let mut pair = Pair::new(Bounds { segment: 1_000, ..Bounds::default() });
    pair.write(0..50);
    pair.send(|_| false);
    let dir = pair.dirs[0].path().join(STREAM);
    let current = || std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    let before = current();
    pair.write(50..150);
    pair.send(|_| false);
    assert_ne!(current(), before);
    // What came over whole is left in part, and the segments that followed it not at all.
    std::fs::remove_file(current()).unwrap();
    std::fs::write(&before, "torn").unwrap();
    pair.spool = Spool::open(pair.dirs[0].path().to_owned(), "the next start").unwrap();
    pair.write(150..160);
    pair.send(|_| false);
    assert_eq!(pair.arrived(), lines(0..160));
}

#[test]
fn however_little_is_asked_for_at_a_time_each_stream_has_its_turn() {
    let mut pair = Pair::new(Bounds::default());
    let other = LogDir::open(pair.dirs[0].path().join("other"), Bounds::default()).unwrap();
    let origin = Origin::new(Source::App, "web.1", Some(1));
    other.writer().append(&origin, "x");
    pair.write(0..10);
    let mut streams = BTreeSet::new();
    for _ in 0..4 {
        let pieces = pair.spool.pieces(1).unwrap();
        for piece in &pieces {
            // As if the server had nothing yet.
            pair.spool.settle(piece, 0, false).unwrap();
        }
        streams.extend(pieces.into_iter().filter(|piece| !piece.bytes.is_empty()).map(|piece| piece.stream));
    }
    assert_eq!(streams.len(), 2, "{streams:?}");
}

#[test]
fn a_server_that_lost_what_it_had_gets_what_is_still_there() {
    let mut pair = Pair::new(Bounds::default());
    pair.write(0..10);
    pair.send(|_| false);
    for entry in std::fs::read_dir(pair.dirs[1].path().join(STREAM)).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    pair.write(10..20);
    pair.send(|_| false);
    assert_eq!(pair.arrived(), lines(0..20));
}

#[test]
fn what_a_host_brings_pushes_out_the_oldest_of_it_when_the_log_is_full() {
    let mut pair = Pair::new(Bounds { segment: 1_000, ..Bounds::default() });
    pair.server = LogDir::open(pair.dirs[1].path().join(STREAM), small()).unwrap();
    pair.write(0..2_000);
    pair.send(|_| false);
    let files = std::fs::read_dir(pair.dirs[1].path().join(STREAM)).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= small().total + small().segment * 2, "{bytes} bytes");
    let arrived = pair.arrived();
    assert!(arrived.len() > 10 && arrived == lines(2_000 - u32::try_from(arrived.len()).unwrap()..2_000));
}

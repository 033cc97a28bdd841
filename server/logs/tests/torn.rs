//! What a power loss, a kill or a full disk leaves at the end of a segment.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use futures::StreamExt;
use logs::{Bounds, LogDir, Origin, Position, Query, Source, Tailed};
use proptest::prelude::*;

fn texts(log: &LogDir) -> Vec<String> {
    log.read(&Query::default()).unwrap().lines.into_iter().map(|line| line.text).collect()
}

fn only_segment(dir: &tempfile::TempDir) -> PathBuf {
    fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path()
}

/// How the end of a file is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// The file is shorter.
    Cut,
    /// The size is there and the content is not: what file systems leave whose data comes after their metadata.
    Zeros,
    /// A block in the middle is lost.
    Hole,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_torn_record_is_never_shown_and_nothing_after_it_is_lost(
        texts_before in prop::collection::vec("[a-z]{0,300}", 1..30),
        loss in prop_oneof![Just(Loss::Cut), Just(Loss::Zeros), Just(Loss::Hole)],
        place: prop::sample::Index,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
        let origin = Origin::new(Source::App, "web.1", Some(7));
        let writer = log.writer();
        texts_before.iter().for_each(|text| writer.append(&origin, text));
        let path = only_segment(&dir);
        let mut bytes = fs::read(&path).unwrap();
        let at = place.index(bytes.len());
        // A write begins with a line feed of its own, after which nothing is half.
        let is_end = bytes[at] == b'\n' && at > 0 && bytes[at - 1] != b'\n';
        let lacks_its_end = is_end && matches!(loss, Loss::Cut);
        match loss {
            Loss::Cut => bytes.truncate(at),
            Loss::Zeros => bytes[at..].fill(0),
            Loss::Hole => bytes.iter_mut().skip(at).take(64).for_each(|byte| *byte = 0),
        }
        fs::write(&path, bytes).unwrap();

        let left = texts(&log);
        // A writer that begins now, and one that had begun before.
        log.writer().append(&origin, "AFTER 1");
        writer.append(&origin, "AFTER 2");

        let mut whole = texts_before.iter();
        prop_assert!(left.iter().all(|text| whole.any(|written| written == text)), "{:?}", left);
        // A record of which only the end was lost is whole once another begins after it.
        let ended = texts_before.iter().skip(left.len()).take(usize::from(lacks_its_end));
        let after = ["AFTER 1".to_owned(), "AFTER 2".to_owned()];
        let expected: Vec<String> = left.iter().chain(ended).chain(&after).cloned().collect();
        prop_assert_eq!(&texts(&log), &expected);
        let followed = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let tail = log.tail(Query::default(), Position::START);
            let text = |tailed| match tailed {
                Tailed::Line(line) => line.text,
                Tailed::Skipped(skipped) => panic!("{skipped}"),
            };
            tail.take(expected.len()).map(text).collect::<Vec<_>>().await
        });
        prop_assert_eq!(followed, expected);
    }
}

#[test]
fn a_record_of_which_only_the_end_was_lost_is_whole_once_another_begins() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let origin = Origin::new(Source::App, "web.1", None);
    log.writer().append(&origin, "before");
    let path = only_segment(&dir);
    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.pop(), Some(b'\n'));
    fs::write(&path, bytes).unwrap();
    assert_eq!(texts(&log), [""; 0]);

    log.writer().append(&origin, "after");

    assert_eq!(texts(&log), ["before", "after"]);
}

#[test]
fn half_a_line_of_another_writer_is_not_shown_and_swallows_none() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let (writer, origin) = (log.writer(), Origin::new(Source::App, "web.1", None));
    writer.append(&origin, "before");
    let mut segment = OpenOptions::new().append(true).open(only_segment(&dir)).unwrap();
    segment.write_all(b"\n2026-01-02T03:04:05.678901Z app[web.2] 01234567: half a li").unwrap();

    writer.append(&origin, "after");

    assert_eq!(texts(&log), ["before", "after"]);
}

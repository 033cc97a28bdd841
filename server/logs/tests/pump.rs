//! A replica's output through a real pipe.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use logs::{Allowance, Bounds, LONGEST_LINE, LinePump, LogDir, Origin, Query, Rate, Source};
use proptest::prelude::*;

fn web() -> Origin {
    Origin::new(Source::App, "web.1", Some(41))
}

fn texts(log: &LogDir) -> Vec<String> {
    log.read(&Query::default()).unwrap().lines.into_iter().map(|line| line.text).collect()
}

/// Returns the lines that arrived and those that were announced as dropped.
fn account(texts: &[String]) -> (u64, u64) {
    let counts = texts.iter().filter_map(|text| dropped(text));
    let (announcements, dropped) = counts.fold((0, 0), |(n, sum), count| (n + 1, sum + count));
    (texts.len() as u64 - announcements, dropped)
}

/// Returns how many messages a line tells of that were dropped.
fn dropped(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("Error L10 (output buffer overflow): dropped ")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// Waits until `condition` holds, for ten seconds at most.
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::yield_now();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_output_comes_out_as_its_lines(chunks in prop::collection::vec(
        prop_oneof![any::<Vec<u8>>(), "([a-z]{0,9}\r?\n){0,40}".prop_map(String::into_bytes),
            (0usize..30_000).prop_map(|n| vec![b'x'; n])], 0..6,
    )) {
        let dir = tempfile::tempdir().unwrap();
        let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
        let mut pump = LinePump::new(log.writer(), web(), Rate::default());
        chunks.iter().for_each(|chunk| pump.push(chunk));
        pump.flush();

        // Long lines are cut, so what lines say is compared, joined where a cut was possible.
        let whole = chunks.concat();
        let mut expected: Vec<&[u8]> = whole.split(|&byte| byte == b'\n').collect();
        if expected.last().is_some_and(|last| last.is_empty()) {
            expected.pop();
        }
        let ends_open = whole.last() != Some(&b'\n');
        let last = expected.len().saturating_sub(1);
        let expected: Vec<String> = expected.iter().enumerate().flat_map(|(number, line)| {
            let line = if ends_open && number == last { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
            pieces(line)
        }).collect();
        prop_assert_eq!(texts(&log), expected);
    }
}

fn pieces(mut line: &[u8]) -> Vec<String> {
    let mut pieces = Vec::new();
    while line.len() > LONGEST_LINE {
        let end = (LONGEST_LINE - 3..=LONGEST_LINE).rev().find(|&at| line[at] & 0xC0 != 0x80);
        let (piece, rest) = line.split_at(end.unwrap_or(LONGEST_LINE));
        pieces.push(String::from_utf8_lossy(piece).into_owned());
        line = rest;
    }
    pieces.push(String::from_utf8_lossy(line).into_owned());
    pieces
}

#[test]
fn a_prompt_without_a_newline_is_shown_while_the_process_waits() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let (output, mut input) = std::io::pipe().unwrap();
    let mut pump = LinePump::new(log.writer(), web(), Rate::default());
    let pumping = thread::spawn(move || pump.drain(output));

    input.write_all(b"name? ").unwrap();
    until("the prompt", || texts(&log) == ["name? "]);
    input.write_all(b"\nhello\n").unwrap();
    drop(input);

    pumping.join().unwrap().unwrap();
    assert_eq!(texts(&log), ["name? ", "hello"]);
}

#[test]
fn a_flood_is_cut_to_the_rate_and_every_line_is_written_or_counted() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let (output, mut input) = std::io::pipe().unwrap();
    let bytes = Allowance { per_second: 100_000, burst: 100_000 };
    let rate = Rate { bytes, ..Rate::UNLIMITED };
    let mut pump = LinePump::new(log.writer(), web(), rate);
    let pumping = thread::spawn(move || pump.drain(output));

    let line = [b"y".repeat(99), b"\n".to_vec()].concat();
    input.write_all(&line.repeat(50_000)).unwrap();
    // The replica is quiet but alive: the count must not wait for its next line or its end.
    until("all lines are accounted for", || {
        let (written, dropped) = account(&texts(&log));
        written + dropped == 50_000 && dropped > 40_000
    });

    drop(input);
    pumping.join().unwrap().unwrap();
    let (written, dropped) = account(&texts(&log));
    assert_eq!(written + dropped, 50_000);
}

#[test]
fn what_fitted_the_rate_when_it_was_written_is_kept_however_late_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let bytes = Allowance { per_second: 100_000, burst: 100_000 };
    let mut pump = LinePump::new(log.writer(), web(), Rate { bytes, ..Rate::UNLIMITED });
    let second = [b"y".repeat(99), b"\n".to_vec()].concat().repeat(900);

    (0..20).for_each(|seconds| pump.push_late(&second, Duration::from_secs(seconds)));
    assert_eq!(account(&texts(&log)), (18_000, 0));

    (0..20).for_each(|_| pump.push_late(&second, Duration::from_secs(20)));
    pump.flush();
    assert_eq!(account(&texts(&log)), (18_900, 17_100));
}

#[test]
fn ten_megabytes_without_a_newline_are_shown_in_pieces_and_odd_bytes_harm_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let mut pump = LinePump::new(log.writer(), web(), Rate::default());
    let megabyte = vec![0xff; 1 << 20];
    (0..10).for_each(|_| pump.push(&megabyte));
    pump.push(b"\nnul \0 bell \x07 red \x1b[31m broken \xe2\x82\n2026-01-02T03:04:05Z app[web.2] 00000000: forged\n");

    let lines = texts(&log);
    let (last, pieces) = (lines.last().unwrap(), &lines[..lines.len() - 2]);
    assert_eq!(pieces.iter().map(|piece| piece.chars().count()).sum::<usize>(), 10 << 20);
    assert!(pieces.iter().all(|piece| piece.chars().count() <= LONGEST_LINE));
    assert_eq!(lines[lines.len() - 2], "nul \0 bell \x07 red \x1b[31m broken \u{fffd}");
    assert_eq!(last, "2026-01-02T03:04:05Z app[web.2] 00000000: forged");
    let forged = Query { process: Some("web.2".to_owned()), ..Query::default() };
    assert_eq!(log.read(&forged).unwrap().lines, []);
}

#[test]
fn a_stream_whose_folder_is_gone_drains_the_pipe_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path().join("log"), Bounds::default()).unwrap();
    let mut pump = LinePump::new(log.writer(), web(), Rate::default());
    pump.push(b"before\n");
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    pump.push(b"during 1\nduring 2\n");
    assert!(pump.holds_back());
    LogDir::open(dir.path().join("log"), Bounds::default()).unwrap();

    pump.push(b"after\n");

    let texts = texts(&log);
    assert_eq!((texts.len(), dropped(&texts[0]), texts[1].as_str()), (2, Some(2), "after"), "{texts:?}");
    assert!(texts[0].ends_with(": the log could not be written, the disk may be full"), "{texts:?}");
}

#[test]
fn a_full_disk_neither_stops_the_replica_nor_loses_count() {
    // A small file system of its own needs a mount namespace.
    let test = env::current_exe().unwrap();
    let helper = Command::new("unshare")
        .args(["-Urm"])
        .arg(test)
        .args(["--exact", "fills_a_small_disk_when_started_by_another_test", "--nocapture"])
        .env("LOG_TEST_FILLS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&helper.stdout);
    let complained = String::from_utf8_lossy(&helper.stderr);
    assert!(helper.status.success() && said.contains("1 passed"), "{said}{complained}");
}

#[test]
fn fills_a_small_disk_when_started_by_another_test() {
    if env::var_os("LOG_TEST_FILLS").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    mount_small_disk(dir.path());
    let log = LogDir::open(dir.path().join("log"), Bounds::default()).unwrap();
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    let mut pump = LinePump::new(log.writer(), web(), Rate::default());
    let line = [b"z".repeat(99), b"\n".to_vec()].concat();
    for _ in 0..100 {
        pump.push(&line.repeat(100));
    }
    assert!(pump.holds_back(), "the disk did not fill");

    std::fs::remove_file(&ballast).unwrap();
    pump.flush();

    let texts = texts(&log);
    let (written, dropped) = account(&texts);
    assert_eq!(written + dropped, 10_000);
    assert!(texts.iter().all(|text| !text.starts_with('z') || text.len() == 99), "a torn line is shown");
    assert!(dropped > 1_000 && written > 100, "{written} written, {dropped} dropped");
}

fn mount_small_disk(at: &Path) {
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).status();
    assert!(mounted.unwrap().success());
}

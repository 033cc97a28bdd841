//! Several processes write one stream at once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use logs::{Bounds, Line, LogDir, Origin, Query, Source};

fn small_segments() -> Bounds {
    Bounds { segment: 64 << 10, total: 1 << 30, ..Bounds::default() }
}

fn writer_process(dir: &Path, process: &str, lines: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "writes_lines_when_started_by_another_test", "--nocapture"])
        .env("LOG_TEST_WRITES", format!("{process} {lines}"))
        .env("LOG_TEST_DIR", dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn writes_lines_when_started_by_another_test() {
    let Ok(task) = env::var("LOG_TEST_WRITES") else { return };
    let (process, lines) = task.split_once(' ').unwrap();
    let log = LogDir::open(env::var("LOG_TEST_DIR").unwrap(), small_segments()).unwrap();
    let (writer, origin) = (log.writer(), Origin::new(Source::App, process, Some(7)));
    for number in 0..lines.parse().unwrap() {
        // Lengths differ, so that a torn line would show.
        writer.append(&origin, format!("{number} {}", "x".repeat(number * 7 % 300)));
    }
}

fn assert_whole_and_in_order(lines: &[Line], expected: &[(&str, usize)]) {
    let mut next: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        let number = next.entry(&line.process).or_default();
        assert_eq!(line.text, format!("{number} {}", "x".repeat(*number * 7 % 300)), "{}", line.process);
        *number += 1;
    }
    for (process, lines) in expected {
        assert_eq!(next.get(process).copied(), Some(*lines), "{process}");
    }
}

#[test]
fn no_line_of_many_processes_is_torn_lost_or_out_of_order_while_segments_change() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["web.1", "web.2", "web.3", "worker.1"];

    let processes: Vec<Child> = names.iter().map(|name| writer_process(dir.path(), name, 4_000)).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }

    let log = LogDir::open(dir.path(), small_segments()).unwrap();
    let lines = log.read(&Query::default()).unwrap().lines;
    assert_whole_and_in_order(&lines, &names.map(|name| (name, 4_000)));
    assert!(fs::read_dir(dir.path()).unwrap().count() > 30, "the segments did not change often");
}

#[test]
fn a_killed_writer_tears_no_line_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut killed = writer_process(dir.path(), "web.1", 10_000_000);
    let mut stays = writer_process(dir.path(), "web.2", 4_000);
    assert!(stays.wait().unwrap().success());
    killed.kill().unwrap();
    killed.wait().unwrap();

    let log = LogDir::open(dir.path(), small_segments()).unwrap();
    let query = Query { process: Some("web.2".to_owned()), ..Query::default() };
    assert_whole_and_in_order(&log.read(&query).unwrap().lines, &[("web.2", 4_000)]);
}

#[test]
fn a_writer_that_slept_through_a_rotation_goes_on_in_the_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { segment: 1_000, total: 3_000, ..Bounds::default() };
    let log = LogDir::open(dir.path(), bounds).unwrap();
    let (early, late) = (log.writer(), log.writer());
    let origin = Origin::new(Source::App, "web.1", None);
    early.append(&origin, "first");
    // So many that the segment `early` has open is deleted.
    (0..200).for_each(|number| late.append(&origin, format!("filler {number}")));

    early.append(&origin, "last");

    assert_eq!(log.read(&Query { lines: Some(1), ..Query::default() }).unwrap().lines[0].text, "last");
}

#[test]
fn a_stream_stays_within_its_size_and_keeps_the_latest_lines() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { segment: 10_000, total: 50_000, ..Bounds::default() };
    let log = LogDir::open(dir.path(), bounds).unwrap();
    let (writer, origin) = (log.writer(), Origin::new(Source::App, "web.1", None));

    for number in 0..5_000 {
        writer.append(&origin, format!("line {number}"));
        if number % 50 == 0 {
            let sizes =
                fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
            assert!(sizes.sum::<u64>() <= 50_200);
        }
    }

    let lines = log.read(&Query::default()).unwrap().lines;
    assert_eq!(lines.last().unwrap().text, "line 4999");
    assert!(lines.len() > 500, "{} lines left", lines.len());
}

#[test]
fn the_lines_of_a_quiet_app_go_when_their_time_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let (writer, origin) = (log.writer(), Origin::new(Source::App, "web.1", None));
    writer.append(&origin, "old");
    let after = |days: i64| jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days + 1);

    log.expire(after(6)).unwrap();
    assert_eq!(log.read(&Query::default()).unwrap().lines.len(), 1);
    log.expire(after(7)).unwrap();
    assert_eq!(log.read(&Query::default()).unwrap().lines.len(), 0);
    writer.append(&origin, "new");
    assert_eq!(log.read(&Query::default()).unwrap().lines[0].text, "new");
}

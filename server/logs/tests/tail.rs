//! Following a stream.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use logs::{Bounds, LogDir, Origin, Position, Query, Source, Tail, Tailed, Writer};

fn open(bounds: Bounds) -> (tempfile::TempDir, LogDir, Writer, Origin) {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path().join("log"), bounds).unwrap();
    let writer = log.writer();
    (dir, log, writer, Origin::new(Source::App, "web.1", None))
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("not within 20 s")
}

async fn next_texts(tail: &mut Tail, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        match in_time(tail.next()).await {
            Some(Tailed::Line(line)) => texts.push(line.text),
            other => panic!("{other:?} after {} lines", texts.len()),
        }
    }
    texts
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn a_read_and_the_tail_after_it_show_each_line_once() {
    let (_dir, log, writer, web) = open(Bounds::default());
    numbers(0, 10).iter().for_each(|text| writer.append(&web, text));
    let excerpt = log.read(&Query { lines: Some(3), ..Query::default() }).unwrap();
    let mut tail = log.tail(Query::default(), excerpt.end);
    numbers(10, 20).iter().for_each(|text| writer.append(&web, text));

    assert_eq!(excerpt.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["7", "8", "9"]);
    assert_eq!(next_texts(&mut tail, 10).await, numbers(10, 20));
}

#[tokio::test]
async fn a_tail_resumes_after_any_line_across_segments() {
    let (_dir, log, writer, web) = open(Bounds { segment: 2_000, total: 1 << 30, ..Bounds::default() });
    numbers(0, 500).iter().for_each(|text| writer.append(&web, text));
    let lines = log.read(&Query::default()).unwrap().lines;
    assert_eq!(lines.len(), 500);
    for line in lines.iter().step_by(37) {
        let mut from = Position::START;
        from.pass(line.place);
        let from: Position = from.to_string().parse().unwrap();
        let begin = line.text.parse::<usize>().unwrap() + 1;
        let mut tail = log.tail(Query::default(), from);
        assert_eq!(next_texts(&mut tail, 500 - begin).await, numbers(begin, 500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_follows_writers_through_rotations_without_losing_a_line() {
    let (_dir, log, _, _) = open(Bounds { segment: 20_000, total: 1 << 30, ..Bounds::default() });
    let mut tail = log.tail(Query::default(), Position::START);
    let threads: Vec<_> = ["web.1", "web.2", "web.3"]
        .map(|process| (log.writer(), Origin::new(Source::App, process, None)))
        .into_iter()
        .map(|(writer, web)| {
            std::thread::spawn(move || numbers(0, 5_000).iter().for_each(|text| writer.append(&web, text)))
        })
        .collect();

    let mut next = std::collections::HashMap::from([("web.1", 0), ("web.2", 0), ("web.3", 0)]);
    for _ in 0..15_000 {
        let Some(Tailed::Line(line)) = in_time(tail.next()).await else { panic!("no line") };
        let number = next.get_mut(line.process.as_str()).unwrap();
        assert_eq!(line.text, number.to_string());
        *number += 1;
    }

    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[tokio::test]
async fn a_tail_shows_only_what_its_query_wants() {
    let (_dir, log, writer, web) = open(Bounds::default());
    let query = Query { source: Some(Source::Router), ..Query::default() };
    let mut tail = log.tail(query, log.end().unwrap());
    writer.append(&web, "app");
    writer.append(&Origin::new(Source::Router, "router", None), "request");
    assert_eq!(next_texts(&mut tail, 1).await, ["request"]);
}

#[tokio::test]
async fn each_line_wakes_the_reader() {
    let (_dir, log, writer, web) = open(Bounds::default());
    let mut tail = log.tail(Query::default(), Position::START);
    for text in numbers(0, 300) {
        writer.append(&web, &text);
        assert_eq!(next_texts(&mut tail, 1).await, [text]);
    }
}

#[tokio::test]
async fn the_lines_of_replicas_router_and_platform_come_in_the_order_of_their_times() {
    let (_dir, log, writer, _) = open(Bounds { segment: 500, total: 1 << 30, ..Bounds::default() });
    let origins = [
        Origin::new(Source::App, "web.1", None),
        Origin::new(Source::App, "web.2", None),
        Origin::new(Source::Router, "router", None),
        Origin::new(Source::Platform, "web.1", None),
    ];
    let texts = numbers(0, 1_000);
    for (number, text) in texts.iter().enumerate() {
        writer.append(&origins[number * 7 % 4], text);
        // Lines of one microsecond have no order.
        std::thread::sleep(Duration::from_micros(2));
    }
    let mut tail = log.tail(Query::default(), Position::START);
    assert_eq!(next_texts(&mut tail, 1_000).await, texts);
    let read: Vec<_> = log.read(&Query::default()).unwrap().lines.into_iter().map(|line| line.text).collect();
    assert_eq!(read, texts);
}

#[tokio::test]
async fn who_broke_off_in_the_middle_of_an_excerpt_gets_the_rest_of_it_and_what_came_since() {
    let (_dir, log, writer, _) = open(Bounds { segment: 3_000, total: 1 << 30, ..Bounds::default() });
    let write = |from: usize, to: usize| {
        for number in from..to {
            writer
                .append(&Origin::new(Source::App, &format!("web.{}", number % 3), None), number.to_string());
        }
    };
    write(0, 300);
    let excerpt = log.read(&Query { lines: Some(90), ..Query::default() }).unwrap();
    write(300, 330);
    for seen in [0, 1, 2, 45, 89, 90] {
        let mut position = excerpt.begin.clone();
        excerpt.lines[..seen].iter().for_each(|line| position.pass(line.place));
        let mut tail = log.tail(Query::default(), position.to_string().parse().unwrap());
        let mut got: Vec<usize> =
            next_texts(&mut tail, 120 - seen).await.iter().map(|text| text.parse().unwrap()).collect();
        got.extend(excerpt.lines[..seen].iter().map(|line| line.text.parse::<usize>().unwrap()));
        got.sort_unstable();
        assert_eq!(got, (210..330).collect::<Vec<_>>(), "after {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_is_taken_ahead_and_told_the_number() {
    let (_dir, log, writer, web) = open(Bounds { segment: 1 << 20, total: 32 << 20, ..Bounds::default() });
    let mut tail = log.tail(Query::default(), Position::START);
    let text = "x".repeat(500);
    let lines = 80_000u64;
    for number in 0..lines {
        writer.append(&web, format!("{number} {text}"));
        if number % 1_000 == 0 {
            // The reader does nothing; the follower behind it keeps count as on an unhurried machine.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    let (mut seen, mut skipped, mut last) = (0, 0, String::new());
    while seen + skipped < lines {
        match in_time(tail.next()).await.unwrap() {
            Tailed::Line(line) => (seen, last) = (seen + 1, line.text),
            Tailed::Skipped(more) => {
                assert!(!more.more, "{more}");
                skipped += more.lines;
            }
        }
    }

    assert_eq!(seen + skipped, lines);
    assert!(skipped > 10_000, "{skipped} skipped");
    assert!(last.starts_with(&format!("{} ", lines - 1)), "the latest line was not shown");
}

#[tokio::test]
async fn a_place_that_is_no_longer_kept_is_told() {
    let (_dir, log, writer, web) = open(Bounds { segment: 1_000, total: 3_000, ..Bounds::default() });
    writer.append(&web, "first");
    let from = log.end().unwrap();
    numbers(0, 1_000).iter().for_each(|text| writer.append(&web, text));

    let mut tail = log.tail(Query::default(), from);

    let Some(Tailed::Skipped(skipped)) = in_time(tail.next()).await else { panic!("not told") };
    assert!(skipped.more);
}

#[tokio::test]
async fn a_tail_ends_when_the_app_is_destroyed() {
    let (dir, log, writer, web) = open(Bounds::default());
    let mut tail = log.tail(Query::default(), Position::START);
    writer.append(&web, "last words");
    assert_eq!(next_texts(&mut tail, 1).await, ["last words"]);
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    assert_eq!(in_time(tail.next()).await, None);
}

//! Lines of many apps through one queue.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use logs::{Bounds, LogDir, Origin, Outbox, Query, Source};

#[test]
fn each_app_gets_its_own_lines_and_those_of_a_flood_are_written_or_counted() {
    let logs = tempfile::tempdir().unwrap();
    let outbox = Outbox::start(logs.path(), Bounds::default()).unwrap();
    let apps: Vec<Arc<str>> = (0..100).map(|number| Arc::from(format!("app-{number}"))).collect();
    let dirs: Vec<LogDir> =
        apps.iter().map(|app| LogDir::open(logs.path().join(&**app), Bounds::default()).unwrap()).collect();
    let origin = Arc::new(Origin::new(Source::Router, "router", None));
    let boxes: Vec<_> =
        apps.iter().map(|app| outbox.letterbox(Arc::clone(app), Arc::clone(&origin))).collect();
    for number in 0..200_000 {
        let app = if number % 10 == 0 { number / 10 % 100 } else { 0 };
        boxes[app].append(format!("at=info path=/{number}"));
    }
    assert!(outbox.flush(Duration::from_secs(30)));
    // A second round announces what was refused during the first.
    assert!(outbox.flush(Duration::from_secs(30)));

    let mut accounted = 0;
    for (dir, app) in dirs.iter().zip(&apps) {
        // More lines than one read returns: go through them in slices of time.
        let tail = tokio::runtime::Runtime::new().unwrap().block_on(all_texts(dir));
        for text in tail {
            match text.strip_prefix("Error L10 (output buffer overflow): dropped ") {
                Some(rest) => accounted += rest.split_once(' ').unwrap().0.parse::<usize>().unwrap(),
                None => accounted += 1,
            }
        }
        assert!(!dir.read(&Query::default()).unwrap().lines.is_empty(), "{app} has no line");
    }
    assert_eq!(accounted, 200_000);
}

async fn all_texts(dir: &LogDir) -> Vec<String> {
    use futures::StreamExt;
    let end = dir.end().unwrap();
    let mut tail = dir.tail(Query::default(), logs::Position::START);
    let (mut texts, mut shown) = (Vec::new(), logs::Position::START);
    while let Some(logs::Tailed::Line(line)) = tail.next().await {
        texts.push(line.text);
        shown.pass(line.place);
        if shown == end {
            break;
        }
    }
    texts
}

#[test]
fn a_flood_for_one_app_leaves_room_for_the_lines_of_others() {
    let logs = tempfile::tempdir().unwrap();
    let outbox = Outbox::start(logs.path(), Bounds::default()).unwrap();
    let origin = Arc::new(Origin::new(Source::Router, "router", None));
    let quiet = LogDir::open(logs.path().join("quiet"), Bounds::default()).unwrap();
    LogDir::open(logs.path().join("noisy"), Bounds::default()).unwrap();
    let (noisy, other) =
        ["noisy", "quiet"].map(|app| outbox.letterbox(app.into(), Arc::clone(&origin))).into();
    let large = "x".repeat(64 << 10);
    for number in 0..2_000 {
        noisy.append(large.clone());
        if number % 20 == 0 {
            other.append(number.to_string());
        }
    }
    assert!(outbox.flush(Duration::from_secs(30)));

    assert_eq!(quiet.read(&Query::default()).unwrap().lines.len(), 100);
}

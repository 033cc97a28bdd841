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
    for number in 0..200_000 {
        let app = &apps[if number % 10 == 0 { number / 10 % 100 } else { 0 }];
        outbox.append(app, &origin, format!("at=info path=/{number}"));
    }
    assert!(outbox.flush(Duration::from_secs(30)));
    // A second round announces what was refused during the first.
    assert!(outbox.flush(Duration::from_secs(30)));

    let mut accounted = 0;
    for (dir, app) in dirs.iter().zip(&apps) {
        // More lines than one read returns: go through them in slices of time.
        let tail = tokio::runtime::Runtime::new().unwrap().block_on(all_texts(dir));
        for text in tail {
            match text.strip_prefix("dropped ") {
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
    let mut texts = Vec::new();
    while let Some(logs::Tailed::Line(line)) = tail.next().await {
        texts.push(line.text);
        if line.position >= end {
            break;
        }
    }
    texts
}

//! A line found again by its place, and a span of time from its beginning to its end.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use logs::{Bounds, LogDir, Origin, Place, Query, Source};

/// A small log of bursts: lines of one write have one time.
fn a_log() -> (tempfile::TempDir, LogDir) {
    let dir = tempfile::tempdir().unwrap();
    let log = LogDir::open(dir.path(), Bounds::default()).unwrap();
    let writer = log.writer();
    for burst in 0..6 {
        let source = [Source::App, Source::Router][burst % 2];
        let text: Vec<_> = (0..400).map(|line| (burst * 400 + line).to_string()).collect();
        writer.append(&Origin::new(source, ["web.1", "router"][burst % 2], None), text.join("\n"));
    }
    (dir, log)
}

fn numbers(lines: &[logs::Line]) -> Vec<usize> {
    lines.iter().map(|line| line.text.parse().unwrap()).collect()
}

#[test]
fn a_line_is_found_by_its_place_with_its_neighbours() {
    let (_dir, log) = a_log();
    let all = log.read(&Query::default()).unwrap().lines;
    assert_eq!(all.len(), 2_400);
    for number in [0, 3, 399, 400, 1_000, 2_397, 2_399] {
        let place: Place = all[number].place.to_string().parse().unwrap();
        let excerpt = log.around(&Query::default(), place, (5, 7)).unwrap().unwrap();
        let expected: Vec<_> = (number.saturating_sub(5)..(number + 8).min(2_400)).collect();
        assert_eq!(numbers(&excerpt.lines), expected);
        let passed = all.iter().filter(|line| excerpt.begin.has_passed(line.place)).count();
        assert_eq!(passed, expected[0], "what comes before the excerpt");
        let passed = all.iter().filter(|line| excerpt.end.has_passed(line.place)).count();
        assert_eq!(passed, expected.last().unwrap() + 1);
    }
}

#[test]
fn a_place_where_no_wanted_line_ends_is_nothing() {
    let (_dir, log) = a_log();
    let all = log.read(&Query::default()).unwrap().lines;
    let only_app = Query { source: Some(Source::App), ..Query::default() };
    let (app, router) = (all[1_000].place, all[500].place);
    assert!(log.around(&only_app, router, (1, 1)).unwrap().is_none());
    assert_eq!(numbers(&log.around(&only_app, app, (400, 1)).unwrap().unwrap().lines)[..2], [200, 201]);
    for nowhere in ["router:1:3", "router:1:0", "router:9:9", "platform:1:1", "router:1:9223372036854775807"]
    {
        assert!(
            log.around(&Query::default(), nowhere.parse().unwrap(), (1, 1)).unwrap().is_none(),
            "{nowhere}"
        );
    }
}

#[test]
fn a_range_is_every_line_of_a_span_of_time() {
    let (_dir, log) = a_log();
    let range = |query: Query| numbers(&log.range(query).unwrap().flatten().flatten().collect::<Vec<_>>());
    assert_eq!(range(Query::default()), (0..2_400).collect::<Vec<_>>());
    let all = log.read(&Query::default()).unwrap().lines;
    let span = Query { since: Some(all[800].at), until: Some(all[1_999].at), ..Query::default() };
    assert_eq!(range(span.clone()), numbers(&log.read(&span).unwrap().lines));
    assert!(range(span).contains(&1_200));
    assert_eq!(range(Query { process: Some("none".to_owned()), ..Query::default() }), [0; 0]);
}

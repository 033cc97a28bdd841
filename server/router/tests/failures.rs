//! What goes wrong is told to the owner by its code, and hurts as few requests as can be.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use router::{AppState, Backend};
use stage::{Answer, GET, Replica, Stage, nobody, ok, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const POST: &str = "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\n\r\nbody";

/// A replica that does one thing with a request and closes.
async fn saying(answer: &'static str) -> Replica {
    Replica::raw("web.1", move |mut client| async move {
        client.head().await;
        client.send(answer).await;
    })
    .await
}

/// A replica that takes a request and never answers.
async fn silent() -> Replica {
    Replica::raw("web.1", |mut client| async move {
        client.head().await;
        std::future::pending().await
    })
    .await
}

async fn first_line(stage: &Stage, code: &str) -> String {
    let line = stage.lines.nth(1).await;
    assert!(line.starts_with(&format!("at=error code={code} desc=\"")), "{line}");
    line
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503);
    let text = answer.text();
    assert!(text.contains("Request id: ") && !text.contains("code") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn an_app_that_takes_no_requests_says_why_to_its_owner() {
    for (state, code) in [(AppState::NoWeb, "H14"), (AppState::Crashed, "H10"), (AppState::Serving, "H14")] {
        let stage = Stage::with(vec![], |_, app| app.state = state);
        assert_unavailable(&stage.ask(GET).await);
        assert!(first_line(&stage, code).await.contains(" dyno= connect= service= status=503 "));
    }
    let stage = Stage::with(vec![], |_, app| app.state = AppState::Maintenance);
    assert!(stage.ask(GET).await.text().contains("maintenance"));
    first_line(&stage, "H80").await;
}

#[tokio::test]
async fn h11_an_app_with_too_many_requests_turns_more_away() {
    let replica = silent().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |_, app| app.in_flight_limit = 2);
    let mut held = vec![stage.client().await, stage.client().await];
    for client in &mut held {
        client.send(GET).await;
    }
    until(|| replica.backend.in_flight() == 2).await;
    assert_unavailable(&stage.ask(GET).await);
    first_line(&stage, "H11").await;
    drop(held);
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn h12_a_replica_that_does_not_answer_in_time() {
    let replica = silent().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.first_byte = Duration::from_millis(100);
    });
    assert_unavailable(&stage.ask(GET).await);
    assert!(first_line(&stage, "H12").await.contains(" dyno=web.1 "));
    assert_eq!((replica.backend.in_flight(), replica.backend.failed()), (0, 1));
    assert_unavailable(&stage.ask(POST).await);
    assert!(stage.lines.nth(2).await.contains("code=H12"));
}

#[tokio::test]
async fn the_time_for_an_answer_begins_when_the_request_is_sent() {
    let replica = Replica::mirror().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.first_byte = Duration::from_millis(200);
    });
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\n\r\n").await;
    for byte in ["b", "o", "d", "y"] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send(byte).await;
    }
    assert_eq!(client.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn h13_a_replica_that_closes_without_an_answer() {
    let replica = saying("").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_unavailable(&stage.ask(GET).await);
    first_line(&stage, "H13").await;
    assert_eq!(replica.connections(), 1, "a request that was sent on a new connection is not sent again");
}

#[tokio::test]
async fn h15_a_replica_that_falls_silent_in_its_answer() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await;
        client.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
        std::future::pending().await
    })
    .await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.idle = Duration::from_millis(100);
    });
    let mut client = stage.client().await;
    client.send(GET).await;
    client.head().await.unwrap();
    assert_eq!(client.rest().await, b"abc");
    first_line(&stage, "H15").await;
    assert_eq!(replica.backend.in_flight(), 0);
}

#[tokio::test]
async fn h17_a_replica_that_does_not_speak_http() {
    let replica = saying("hello\r\n\r\n").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_unavailable(&stage.ask(GET).await);
    first_line(&stage, "H17").await;
}

#[tokio::test]
async fn h17_a_replica_that_switches_protocols_unasked() {
    let replica =
        saying("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_unavailable(&stage.ask(GET).await);
    first_line(&stage, "H17").await;
}

#[tokio::test]
async fn h18_a_replica_that_breaks_off_in_its_answer() {
    let replica = saying("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.head().await.unwrap();
    assert_eq!(client.rest().await, b"abc", "the visitor sees that the answer is not whole");
    assert!(first_line(&stage, "H18").await.contains("bytes=3 "));
    assert_eq!((replica.backend.in_flight(), replica.backend.failed()), (0, 1));
}

#[tokio::test]
async fn h19_a_replica_that_cannot_be_reached_in_time() {
    // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there, or the system says so.
    let backend = Backend::new("id", "web.1", "192.0.2.1:9".parse().unwrap());
    let stage =
        Stage::with(vec![backend], |options, _| options.timeouts.connect = Duration::from_millis(100));
    assert_unavailable(&stage.ask(GET).await);
    let line = stage.lines.nth(1).await;
    assert!(line.contains("code=H19") || line.contains("code=H21"), "{line}");
}

#[tokio::test]
async fn h21_all_replicas_refuse_the_connection() {
    let replicas = vec![nobody("web.1"), nobody("web.2")];
    let stage = Stage::new(replicas.clone());
    assert_unavailable(&stage.ask(POST).await);
    assert!(first_line(&stage, "H21").await.contains("dyno=web."));
    assert!(replicas.iter().all(|backend| backend.failed() == 1 && backend.in_flight() == 0));
}

#[tokio::test]
async fn h26_a_malformed_body_is_the_visitors_fault() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage
        .ask("POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        .await;
    assert_eq!(answer.status, 400);
    first_line(&stage, "H26").await;
    assert_eq!(replica.backend.failed(), 0);
}

#[tokio::test]
async fn h27_a_visitor_who_leaves_before_the_answer() {
    let replica = silent().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    until(|| replica.backend.in_flight() == 1).await;
    drop(client);
    assert!(first_line(&stage, "H27").await.contains("status=499"));
    assert_eq!((replica.backend.in_flight(), replica.backend.failed()), (0, 0));
}

#[tokio::test]
async fn h27_a_visitor_who_leaves_in_the_middle_of_an_upload() {
    let replica = silent().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 100\r\n\r\nabc").await;
    until(|| replica.backend.in_flight() == 1).await;
    drop(client);
    first_line(&stage, "H27").await;
    assert_eq!((replica.backend.in_flight(), replica.backend.failed()), (0, 0));
}

#[tokio::test]
async fn h28_a_visitor_who_stops_in_the_middle_of_an_upload() {
    let replica = silent().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.idle = Duration::from_millis(100);
    });
    let answer = stage.ask("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 100\r\n\r\nabc").await;
    assert_eq!(answer.status, 408);
    first_line(&stage, "H28").await;
    assert_eq!((replica.backend.in_flight(), replica.backend.failed()), (0, 0));
}

#[tokio::test]
async fn h28_a_visitor_who_does_not_take_the_answer() {
    let replica = Replica::answering("web.1", |_, _| ok(vec![0; 64 << 20])).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.idle = Duration::from_millis(200);
    });
    let mut client = stage.client().await;
    client.send(GET).await;
    first_line(&stage, "H28").await;
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn no_request_fails_while_one_of_two_replicas_is_dead() {
    let alive = Replica::named("web.2").await;
    let stage = Stage::new(vec![nobody("web.1"), Arc::clone(&alive.backend)]);
    let mut client = stage.client().await;
    for round in 0..200 {
        client.send(if round % 2 == 0 { GET } else { POST }).await;
        assert_eq!(client.answer().await.unwrap().text(), "web.2");
    }
    let line = stage.lines.nth(1).await;
    assert!(line.starts_with("at=info ") && line.contains("dyno=web.2 "), "{line}");
}

#[tokio::test]
async fn no_request_fails_when_a_replica_with_open_connections_dies() {
    let (one, two) = (Replica::named("web.1").await, Replica::named("web.2").await);
    let stage = Stage::new(vec![Arc::clone(&one.backend), Arc::clone(&two.backend)]);
    let mut client = stage.client().await;
    for _ in 0..10 {
        client.send(GET).await;
        client.answer().await.unwrap();
    }
    one.die().await;
    for round in 0..50 {
        client.send(if round % 2 == 0 { GET } else { POST }).await;
        assert_eq!(client.answer().await.unwrap().text(), "web.2");
    }
}

/// A replica that answers the first request of a connection and closes under the second.
async fn closing(seen: Arc<AtomicUsize>) -> Replica {
    Replica::raw("web.1", move |mut client| {
        let seen = Arc::clone(&seen);
        async move {
            client.head().await;
            client.send(ok("first")).await;
            if client.head().await.is_some() {
                seen.fetch_add(1, SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_get_is_sent_again_when_an_idle_connection_closes_under_it() {
    let seen = Arc::new(AtomicUsize::new(0));
    let replica = closing(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    for _ in 0..3 {
        client.send(GET).await;
        assert_eq!(client.answer().await.unwrap().text(), "first");
    }
    assert!(seen.load(SeqCst) >= 1);
}

#[tokio::test]
async fn a_post_is_not_sent_again_after_it_was_sent() {
    let seen = Arc::new(AtomicUsize::new(0));
    let replica = closing(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.answer().await.unwrap();
    client.send(POST).await;
    assert_unavailable(&client.answer().await.unwrap());
    assert_eq!((seen.load(SeqCst), replica.connections()), (1, 1));
    assert!(stage.lines.nth(2).await.contains("code=H13"));
}

#[tokio::test]
async fn a_browser_sees_a_page_without_the_cause() {
    let stage = Stage::new(vec![nobody("web.1")]);
    let answer = stage.ask("GET / HTTP/1.1\r\nhost: app\r\naccept: text/html,*/*\r\n\r\n").await;
    let page = answer.text();
    assert!(page.contains("<h1>Application error</h1>") && !page.contains("H21"), "{page}");
    let id = answer.header("x-request-id").unwrap();
    assert!(page.contains(id) && stage.lines.nth(1).await.contains(id));
}

#[tokio::test]
async fn answers_of_500_are_counted_and_passed_on() {
    let replica = saying("HTTP/1.1 500 Oh No\r\ncontent-length: 2\r\n\r\nno").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage.ask(GET).await;
    assert_eq!((answer.status, answer.text().as_str()), (500, "no"));
    assert!(answer.head.starts_with("HTTP/1.1 500 Oh No"));
    assert!(stage.lines.nth(1).await.starts_with("at=info "));
    assert_eq!((replica.backend.server_errors(), replica.backend.failed()), (1, 0));
}

//! Bad input harms nobody but who sends it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Client, GET, Replica, Stage, until};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Heads that must be refused by the router itself.
const MALFORMED: [&str; 24] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app/x\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app@evil\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: \r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app:port\r\n\r\n",
    "GET / HTTP/1.1\r\nhost : app\r\n\r\n",
    "GET / HTTP/1.1\r\n host: app\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx: a\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx\0y: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nno colon\r\n\r\n",
    "GET  / HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET / HTTP/9.1\r\nhost: app\r\n\r\n",
    "GET /\r\nhost: app\r\n\r\n",
    "G\u{e9}T / HTTP/1.1\r\nhost: app\r\n\r\n",
    "CONNECT app:80 HTTP/1.1\r\nhost: app\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3, 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
    "POST / HTTP/1.0\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
];

#[tokio::test]
async fn malformed_requests_are_refused_and_reach_no_replica() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    for request in MALFORMED {
        let answer = stage.ask(request).await;
        assert!((400..500).contains(&answer.status), "{} for {request:?}", answer.status);
    }
    assert_eq!(replica.connections(), 0);
    assert_eq!(stage.ask(GET).await.status, 200);
}

/// Bodies that are malformed only after the head was passed on.
const MALFORMED_BODIES: [&str; 6] =
    ["x\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\rabc", "fffffffffffffffff\r\n", "3 3\r\n"];

#[tokio::test]
async fn malformed_chunks_are_refused_and_poison_no_connection() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    for body in MALFORMED_BODIES {
        let mut client = stage.client().await;
        client.send("POST /poison HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n").await;
        client.send(body).await;
        let answer = client.answer().await;
        assert!(answer.is_none_or(|answer| answer.status >= 400), "{body:?}");
        let answer = stage.ask(GET).await;
        assert!(answer.text().starts_with("GET / HTTP/1.1\r\n"), "{}", answer.text());
    }
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn conflicting_lengths_cannot_smuggle_a_request() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    for headers in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let mut client = stage.client().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: app\r\n{headers}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: app\r\n\r\n")).await;
        let answer = client.answer().await.unwrap();
        let seen = answer.text();
        assert!(
            answer.status == 400 || (!seen.contains("content-length") && seen.contains("transfer-encoding")),
            "{seen}"
        );
        let rest = client.rest().await;
        assert!(rest.is_empty(), "the connection ends: {}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn chunk_extensions_and_bare_line_feeds_do_not_pass() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let head = "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = stage.ask(&format!("{head}3;ext=\"1\"\r\nabc\r\n0\r\n\r\n")).await;
    assert!(answer.text().ends_with("\r\n\r\nabc"), "{}", answer.text());
    let answer = stage.ask("GET / HTTP/1.1\nhost: app\nx: 1\n\n").await;
    let seen = answer.text();
    assert!(
        answer.status == 400 || (seen.contains("\r\nx: 1\r\n") && !seen.replace("\r\n", "").contains('\n'))
    );
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let long = format!("GET / HTTP/1.1\r\nhost: app\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(stage.ask(&long).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\nhost: app\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert_eq!(stage.ask(&many).await.status, 431);
    let wide = format!("GET /{} HTTP/1.1\r\nhost: app\r\n\r\n", "x".repeat(100_000));
    assert!([414, 431].contains(&stage.ask(&wide).await.status));
    let fits = format!("GET / HTTP/1.1\r\nhost: app\r\nx: {}\r\n\r\n", "x".repeat(30_000));
    assert_eq!(stage.ask(&fits).await.status, 200);
    assert_eq!(replica.connections(), 1);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let stage = Stage::with(vec![], |options, _| options.timeouts.header = Duration::from_millis(300));
    let mut client = stage.client().await;
    let began = Instant::now();
    client.send("GET / HTTP/1.1\r\nhost: app\r\n").await;
    let (mut read, mut write) = client.0.into_inner().into_split();
    let trickle = tokio::spawn(async move {
        while tokio::io::AsyncWriteExt::write_all(&mut write, b"x: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    stage::bounded(trickle).await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut rest).await;
    assert!(began.elapsed() >= Duration::from_millis(290));
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_time() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.keep_alive = Duration::from_millis(200);
    });
    let mut fresh = stage.client().await;
    let mut used = stage.client().await;
    used.send(GET).await;
    used.answer().await.unwrap();
    assert!(fresh.rest().await.is_empty());
    assert!(used.rest().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_connections_keep_nobody_waiting() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        let mut client = stage.client().await;
        client.send(GET).await;
        assert_eq!(client.answer().await.unwrap().status, 200);
        idle.push(client);
    }
    assert_eq!(stage.ask(GET).await.text(), "web.1");
    assert!(replica.connections() < 10, "idle visitors hold no connection to a replica");
    for client in idle.iter_mut().rev().take(50) {
        client.send(GET).await;
        assert_eq!(client.answer().await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.limits.connections = 2;
        options.workers = 1;
    });
    let mut first = stage.client().await;
    let mut second = stage.client().await;
    for client in [&mut first, &mut second] {
        client.send(GET).await;
        client.answer().await.unwrap();
    }
    let mut third = stage.client().await;
    third.send(GET).await;
    let early = tokio::time::timeout(Duration::from_millis(200), third.head()).await;
    assert!(early.is_err(), "a third connection is served beside two");
    drop(first);
    assert_eq!(third.answer().await.unwrap().text(), "web.1");
}

#[tokio::test]
async fn random_bytes_crash_nothing() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let mut request = GET.replace("\r\n\r\n", "\r\ncontent-length: 3\r\n\r\nabc").into_bytes();
        for _ in 0..3 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = usize::try_from(seed % request.len() as u64).unwrap();
            request[at] = seed.to_le_bytes()[5];
        }
        let mut client = Client::connect(stage.router.local_addr()).await;
        client.send(&request).await;
        tokio::io::AsyncWriteExt::shutdown(client.0.get_mut()).await.unwrap();
        client.rest().await;
    }
    assert_eq!(stage.ask(GET).await.status, 200);
    until(|| replica.backend.in_flight() == 0).await;
}

//! Much of something costs bounded memory, and whatever ends abruptly is counted out.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stage::{Client, GET, Replica, Stage, bounded, ok, until};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MEGABYTE: usize = 1 << 20;

/// How much passes in the tests of large bodies.
const LARGE: usize = 256 * MEGABYTE;

/// Returns how many bytes of memory this process has resident.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test]
async fn a_large_download_passes_in_bounded_memory() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n")).await;
        let piece = vec![7; MEGABYTE];
        for _ in 0..LARGE / MEGABYTE {
            client.send(&piece).await;
        }
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.head().await.unwrap();
    let before = resident();
    let (mut got, mut most) = (0, 0);
    let mut piece = vec![0; MEGABYTE];
    while got < LARGE {
        got += bounded(client.0.read(&mut piece)).await.unwrap();
        most = most.max(resident());
    }
    assert!(most.saturating_sub(before) < 16 * MEGABYTE, "{} bytes more", most - before);
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn a_large_upload_passes_in_bounded_memory() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        let (mut got, mut piece) = (0, vec![0; MEGABYTE]);
        while got < LARGE {
            got += client.0.read(&mut piece).await.unwrap();
        }
        client.send(ok("thanks")).await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(format!("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: {LARGE}\r\n\r\n")).await;
    let piece = vec![7; MEGABYTE];
    let (before, mut most) = (resident(), 0);
    for _ in 0..LARGE / MEGABYTE {
        client.send(&piece).await;
        most = most.max(resident());
    }
    assert_eq!(client.answer().await.unwrap().text(), "thanks");
    assert!(most.saturating_sub(before) < 16 * MEGABYTE, "{} bytes more", most - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_idle_connections_cost_little_memory_each() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_eq!(stage.ask(GET).await.status, 200);
    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..2_000 {
        let mut client = Client(tokio::io::BufReader::with_capacity(
            1_024,
            tokio::net::TcpStream::connect(stage.router.local_addr()).await.unwrap(),
        ));
        client.send(GET).await;
        assert_eq!(client.answer().await.unwrap().status, 200);
        idle.push(client);
    }
    let each = resident().saturating_sub(before) / idle.len();
    // The client's end is among it.
    assert!(each < 32 * 1_024, "{each} bytes each");
    assert_eq!(stage.ask(GET).await.status, 200);
}

/// Resets a connection instead of closing it.
fn reset(client: Client) {
    let stream = client.0.into_inner();
    stream.set_zero_linger().unwrap();
}

#[tokio::test]
async fn whatever_a_visitor_is_at_when_the_connection_resets_is_counted_out() {
    let upgrade = "GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let replica = Replica::raw("web.1", |mut client| async move {
        let Some(head) = client.head().await else { return };
        if head.contains("upgrade") {
            let switched = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
            client.send(switched).await;
        } else if head.starts_with("GET /stream") {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
            let piece = vec![0; 65_536];
            while client.0.get_mut().write_all(&piece).await.is_ok() {}
        }
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let stream = GET.replace("GET /", "GET /stream");
    let upload = "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 1000\r\n\r\nabc";
    let begun = ["", "GET / HT", GET, &stream, upload, upgrade];
    for round in 0..60 {
        let request = begun[round % begun.len()];
        let mut client = stage.client().await;
        let requests = replica.backend.requests();
        client.send(request).await;
        if request.contains("\r\n\r\n") {
            until(|| replica.backend.requests() > requests).await;
        }
        if request.contains("upgrade") || request.contains("stream") {
            client.head().await.unwrap();
        }
        reset(client);
    }
    until(|| replica.backend.in_flight() == 0 && replica.backend.tunnels() == 0).await;
    assert_eq!(replica.backend.failed(), 0);
}

#[tokio::test]
async fn whatever_a_replica_is_at_when_it_resets_is_counted_out() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let Some(head) = client.head().await else { return };
        if head.contains("upgrade") {
            let switched = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\u{1}";
            client.send(switched).await;
        } else if head.starts_with("GET /stream") {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await;
        }
        reset(client);
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let upgrade = "GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let stream = GET.replace("GET /", "GET /stream");
    let begun = [GET, &stream, "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 1000\r\n\r\nabc", upgrade];
    for round in 0..40 {
        let mut client = stage.client().await;
        client.send(begun[round % begun.len()]).await;
        client.head().await;
    }
    until(|| replica.backend.in_flight() == 0 && replica.backend.tunnels() == 0).await;
    until(|| stage.lines.len() == 40).await;
}

//! Bodies and tunnels move as they come.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Client, GET, PATIENCE, Replica, Stage, ok, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn an_upload_and_a_download_pass_chunk_by_chunk() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while let Ok(Some(chunk)) = client.chunk().await {
            client.send(format!("{:x}\r\n", chunk.len())).await;
            client.send([&chunk[..], b"\r\n"].concat()).await;
        }
        client.send("0\r\n\r\n").await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n").await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
    for word in ["one", "two", "three"] {
        client.send(format!("{:x}\r\n{word}\r\n", word.len())).await;
        assert_eq!(
            client.chunk().await.unwrap().unwrap(),
            word.as_bytes(),
            "each chunk comes back before the next"
        );
    }
    assert_eq!(replica.backend.in_flight(), 1);
    client.send("0\r\n\r\n").await;
    assert_eq!(client.chunk().await.unwrap(), None);
    until(|| replica.backend.in_flight() == 0).await;
    assert!(stage.lines.nth(1).await.contains("bytes=11 "));
}

#[tokio::test]
async fn an_upload_waits_for_a_replica_that_does_not_read() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        std::future::pending().await
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 1000000000\r\n\r\n").await;
    let chunk = vec![0; 1 << 20];
    let mut sent = 0;
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(500), client.0.get_mut().write(&chunk)).await
    {
        sent += written.unwrap();
        assert!(sent < 100 << 20, "the router buffers an upload");
    }
}

#[tokio::test]
async fn a_download_waits_for_a_visitor_who_does_not_read() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let replica = Replica::raw("web.1", move |mut client| {
        let count = Arc::clone(&count);
        async move {
            client.head().await.unwrap();
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
            let chunk = vec![0; 1 << 20];
            while let Ok(n) = client.0.get_mut().write(&chunk).await {
                count.fetch_add(n, SeqCst);
            }
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.head().await.unwrap();
    let mut before = usize::MAX;
    while before != written.load(SeqCst) {
        before = written.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < 100 << 20, "the router buffers a download: {before}");
    drop(client);
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn an_event_arrives_at_once() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n").await;
        let _ = client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    let head = client.head().await.unwrap();
    assert!(head.contains("text/event-stream"), "{head}");
    assert_eq!(client.chunk().await.unwrap().unwrap(), b"data: 1\n\n");
    drop(client);
    until(|| replica.backend.in_flight() == 0).await;
    assert!(stage.lines.nth(1).await.contains("status=200 bytes=9 "));
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: app\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";

async fn echo(mut client: Client) {
    let head = client.head().await.unwrap();
    assert!(
        head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"),
        "{head}"
    );
    client
        .send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhi")
        .await;
    let (mut read, mut write) = client.0.into_inner().into_split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

#[tokio::test]
async fn a_tunnel_carries_both_ways_and_counts_as_in_flight() {
    let replica = Replica::raw("web.1", echo).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(UPGRADE).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("upgrade: websocket"), "{head}");
    client.expect("hi").await;
    for word in ["ping", "pong"] {
        client.send(word).await;
        client.expect(word).await;
    }
    assert_eq!(replica.backend.in_flight(), 1);
    assert_eq!(stage.lines.len(), 0);
    client.0.get_mut().shutdown().await.unwrap();
    assert!(client.rest().await.is_empty());
    until(|| replica.backend.in_flight() == 0).await;
    let line = stage.lines.nth(1).await;
    assert!(line.contains("path=\"/ws\"") && line.contains("status=101 bytes=10 "), "{line}");
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_closed() {
    let replica = Replica::raw("web.1", echo).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.tunnel = Duration::from_millis(200);
    });
    let mut client = stage.client().await;
    client.send(UPGRADE).await;
    client.head().await.unwrap();
    client.expect("hi").await;
    assert!(client.rest().await.is_empty());
    until(|| replica.backend.in_flight() == 0).await;
    assert!(stage.lines.nth(1).await.contains("code=H15"));
}

#[tokio::test]
async fn a_replica_may_refuse_an_upgrade() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_eq!(stage.ask(UPGRADE).await.text(), "web.1");
}

const EXPECTING: &str = "POST / HTTP/1.1\r\nhost: app\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";

#[tokio::test]
async fn a_body_is_asked_for_when_the_replica_wants_it() {
    let replica = Replica::raw("web.1", |mut client| async move {
        assert!(client.head().await.unwrap().contains("expect: 100-continue"));
        client.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.expect("body").await;
        client.send(ok("thanks")).await;
    })
    .await;
    let stage =
        Stage::with(vec![Arc::clone(&replica.backend)], |options, _| options.timeouts.continue_ = PATIENCE);
    let mut client = stage.client().await;
    client.send(EXPECTING).await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert_eq!(client.answer().await.unwrap().text(), "thanks");
}

#[tokio::test]
async fn a_body_is_not_asked_for_when_the_replica_refuses_it() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").await;
        assert!(client.rest().await.is_empty(), "the replica got a body it had refused");
    })
    .await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.continue_ = Duration::from_millis(300);
    });
    let mut client = stage.client().await;
    client.send(EXPECTING).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert_eq!(String::from_utf8_lossy(&client.rest().await), "", "nothing follows the refusal");
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_replica_says_nothing() {
    let replica = Replica::mirror().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.continue_ = Duration::from_millis(50);
    });
    let mut client = stage.client().await;
    client.send(EXPECTING).await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert!(client.answer().await.unwrap().text().ends_with("\r\n\r\nbody"));
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let head = client.head().await.unwrap();
        assert!(head.contains("te: trailers") && head.contains("trailer: x-sum"), "{head}");
        client.expect("3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n").await;
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n").await;
        client.send("2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n").await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nhost: app\r\nte: trailers\r\nconnection: te\r\n").await;
    client.send("trailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n").await;
    client.head().await.unwrap();
    client.expect("2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n").await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_reaches_the_visitor() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let replica = Replica::raw("web.1", move |mut client| {
        let count = Arc::clone(&count);
        async move {
            client.head().await.unwrap();
            client.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig").await;
            // It reads no more, until the router gives up sending.
            until(|| client.send_failed()).await;
            count.fetch_add(1, SeqCst);
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let (mut read, mut write) = stage.client().await.0.into_inner().into_split();
    let upload = tokio::spawn(async move {
        write.write_all(b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 90000000\r\n\r\n").await?;
        write.write_all(&vec![0; 90_000_000]).await
    });
    let mut answer = [0; 32];
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413 Payload Too Large\r\n");
    until(|| replica.backend.in_flight() == 0).await;
    until(|| closed.load(SeqCst) == 1).await;
    drop(read);
    assert!(stage::bounded(upload).await.unwrap().is_err(), "the rest is not taken");
}

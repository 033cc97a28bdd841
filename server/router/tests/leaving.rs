//! A replica that leaves, and a router that stops, finish what they have; tunnels are told why they end.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Client, GET, PATIENCE, Replica, Stage, bounded, ok, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: app\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";

/// Close, two bytes: 1001.
const GOODBYE: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// A text frame of a server.
fn text(said: &str) -> Vec<u8> {
    [&[0x81, u8::try_from(said.len()).unwrap()], said.as_bytes()].concat()
}

/// A text frame of a client, masked with zeros.
fn masked(said: &str) -> Vec<u8> {
    [&[0x81, 0x80 | u8::try_from(said.len()).unwrap(), 0, 0, 0, 0], said.as_bytes()].concat()
}

/// Returns the payload of a client's frame.
async fn unmask(client: &mut Client) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    client.0.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    client.0.read_exact(&mut payload).await.ok()?;
    let said = payload.iter().zip(head[2..].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((head[0] & 0x0f, said))
}

/// A replica that says what it hears and notes the close frame that ends it.
async fn echoing(closed: Arc<AtomicUsize>) -> Replica {
    Replica::raw("web.1", move |mut client| {
        let closed = Arc::clone(&closed);
        async move {
            client.head().await.unwrap();
            let switched =
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
            client.send(switched).await;
            while let Some((opcode, said)) = unmask(&mut client).await {
                if opcode == 8 {
                    closed.store(usize::from(u16::from_be_bytes([said[0], said[1]])), SeqCst);
                    return;
                }
                client.send(text(std::str::from_utf8(&said).unwrap())).await;
            }
        }
    })
    .await
}

async fn open(stage: &Stage) -> Client {
    let mut client = stage.client().await;
    client.send(UPGRADE).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 101"));
    client.send(masked("hi")).await;
    client.expect_bytes(&text("hi")).await;
    client
}

trait ExpectBytes {
    async fn expect_bytes(&mut self, bytes: &[u8]);
}

impl ExpectBytes for Client {
    async fn expect_bytes(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        bounded(self.0.read_exact(&mut read)).await.unwrap();
        assert_eq!(read, bytes);
    }
}

#[tokio::test]
async fn websockets_of_a_leaving_replica_go_on_until_its_deadline_and_end_with_1001_on_both_sides() {
    let closed = Arc::new(AtomicUsize::new(0));
    let replica = echoing(Arc::clone(&closed)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = open(&stage).await;
    assert_eq!((replica.backend.in_flight(), replica.backend.tunnels()), (1, 1));
    stage.serve(vec![]);
    let deadline = Instant::now() + Duration::from_millis(400);
    replica.backend.leave(deadline);
    client.send(masked("still here")).await;
    client.expect_bytes(&text("still here")).await;
    assert!(Instant::now() < deadline, "this machine is too slow for this test");
    client.expect_bytes(&GOODBYE).await;
    assert!(Instant::now() >= deadline);
    assert!(client.rest().await.is_empty());
    drop(client);
    until(|| replica.backend.in_flight() == 0 && replica.backend.tunnels() == 0).await;
    until(|| closed.load(SeqCst) == 1001).await;
    assert!(stage.lines.nth(1).await.contains("status=101 bytes="));
}

#[tokio::test]
async fn an_earlier_deadline_takes_the_place_of_a_later_one() {
    let replica = echoing(Arc::default()).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = open(&stage).await;
    replica.backend.leave(Instant::now() + Duration::from_secs(3_600));
    replica.backend.leave(Instant::now());
    client.expect_bytes(&GOODBYE).await;
}

#[tokio::test]
async fn the_close_frame_never_falls_into_the_middle_of_another() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        client.send(&text("0123456789")[..7]).await;
        // The rest follows when the other direction has been told to close.
        assert_eq!(unmask(&mut client).await.unwrap().0, 8);
        client.send(&text("0123456789")[7..]).await;
        client.send(text("too late")).await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(UPGRADE).await;
    client.head().await.unwrap();
    client.expect_bytes(&text("0123456789")[..7]).await;
    replica.backend.leave(Instant::now());
    client.expect_bytes(&text("0123456789")[7..]).await;
    assert_eq!(client.rest().await, GOODBYE);
}

#[tokio::test]
async fn a_tunnel_of_another_protocol_is_closed_without_a_word() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: raw\r\n\r\nhi")
            .await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(UPGRADE.replace("websocket", "raw")).await;
    client.head().await.unwrap();
    client.expect("hi").await;
    replica.backend.leave(Instant::now());
    assert!(client.rest().await.is_empty());
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn a_visitor_who_does_not_answer_the_goodbye_is_left_soon() {
    let replica = echoing(Arc::default()).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = open(&stage).await;
    replica.backend.leave(Instant::now());
    client.expect_bytes(&GOODBYE).await;
    until(|| replica.backend.in_flight() == 0).await;
    drop(client);
}

#[tokio::test]
async fn streams_and_uploads_of_a_leaving_replica_go_to_their_end() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let replica = Replica::raw("web.1", move |mut client| {
        let gate = Arc::clone(&opened);
        async move {
            let head = client.head().await.unwrap();
            if head.starts_with("POST") {
                client.expect("body").await;
                return client.send(ok("uploaded")).await;
            }
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").await;
            gate.acquire().await.unwrap().forget();
            client.send("last.").await;
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let (mut stream, mut upload) = (stage.client().await, stage.client().await);
    stream.send(GET).await;
    stream.head().await.unwrap();
    stream.expect("first").await;
    upload.send("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\n\r\nbo").await;
    until(|| replica.backend.in_flight() == 2).await;
    assert_eq!(replica.backend.tunnels(), 0);
    let successor = Replica::named("web.2").await;
    stage.serve(vec![Arc::clone(&successor.backend)]);
    replica.backend.leave(Instant::now());
    assert_eq!(stage.ask(GET).await.text(), "web.2");
    upload.send("dy").await;
    assert_eq!(upload.answer().await.unwrap().text(), "uploaded");
    gate.add_permits(1);
    stream.expect("last.").await;
    until(|| replica.backend.in_flight() == 0).await;
    assert_eq!(replica.backend.failed(), 0);
}

#[tokio::test]
async fn a_router_that_stops_says_1001_to_websockets_before_its_deadline() {
    let closed = Arc::new(AtomicUsize::new(0));
    let replica = echoing(Arc::clone(&closed)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = open(&stage).await;
    let within = Duration::from_millis(1_500);
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let stopping = tokio::spawn(async move {
        stage.router.shutdown(within).await;
        end.store(true, SeqCst);
    });
    client.send(masked("on")).await;
    client.expect_bytes(&text("on")).await;
    client.expect_bytes(&GOODBYE).await;
    client.0.get_mut().shutdown().await.unwrap();
    assert!(client.rest().await.is_empty());
    until(|| closed.load(SeqCst) == 1001).await;
    until(|| ended.load(SeqCst)).await;
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
}

//! A connection of HTTP/2 that floods the router is ended by it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Client, Replica, Stage, bounded, until};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET http://app/` by the static table of HPACK.
const HEADERS: [u8; 8] = [0x82, 0x86, 0x84, 0x41, 0x03, b'a', b'p', b'p'];

async fn raw(stage: &Stage) -> Client {
    let mut client = stage.client().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send(frame(4, 0, 0, &[])).await;
    client
}

/// Sends until the router ends the connection, which it has to.
async fn flood(mut client: Client, frames: impl Iterator<Item = Vec<u8>>) {
    let stream = client.0.get_mut();
    let (mut read, mut write) = stream.split();
    let writing = async {
        for bytes in frames {
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
        std::future::pending().await
    };
    let reading = async {
        let mut sink = vec![0; 65_536];
        while matches!(read.read(&mut sink).await, Ok(1..)) {}
    };
    bounded(async {
        tokio::select! { () = writing => {}, () = reading => {} }
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_resets_or_continuations_ends_its_connection() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let resets = (0..50_000)
        .map(|n| [frame(1, 5, 2 * n + 1, &HEADERS), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat());
    flood(raw(&stage).await, resets).await;
    let begun = std::iter::once(frame(1, 1, 1, &HEADERS));
    let field = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x07][..], &[b'y'; 1_024]].concat();
    flood(raw(&stage).await, begun.chain((0..50_000).map(move |_| frame(9, 0, 1, &field)))).await;
    until(|| replica.backend.in_flight() == 0).await;
    assert_eq!(stage.ask("GET / HTTP/1.1\r\nhost: nobody\r\n\r\n").await.status, 404);
}

//! A router that stops loses nothing it has begun.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use router::{Listen, ProbeSecret, Router, RouterOptions};
use stage::{Client, GET, PATIENCE, Replica, Stage, bounded, ok, until};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

#[tokio::test]
async fn requests_in_flight_are_finished_and_their_connections_closed() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let replica = Replica::raw("web.1", move |mut client| {
        let gate = Arc::clone(&opened);
        async move {
            client.head().await;
            gate.acquire().await.unwrap().forget();
            client.send(ok("done")).await;
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    until(|| replica.backend.in_flight() == 1).await;
    let address = stage.router.local_addr();
    let stopping = tokio::spawn(stage.router.shutdown(PATIENCE));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    gate.add_permits(1);
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    assert!(client.rest().await.is_empty());
    bounded(stopping).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_may_send_one_more_request_before_it_is_closed() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    for client in [&mut client, &mut other] {
        client.send(GET).await;
        client.answer().await.unwrap();
    }
    let address = stage.router.local_addr();
    let stopping = tokio::spawn(stage.router.shutdown(PATIENCE));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    client.send(GET).await;
    assert_eq!(client.answer().await.unwrap().header("connection"), Some("close"));
    assert!(other.rest().await.is_empty(), "an idle connection is closed after a while");
    bounded(stopping).await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_at_the_deadline() {
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await;
        std::future::pending().await
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send(GET).await;
    until(|| replica.backend.in_flight() == 1).await;
    let began = Instant::now();
    bounded(stage.router.shutdown(Duration::from_millis(300))).await;
    assert!((Duration::from_millis(250)..Duration::from_secs(3)).contains(&began.elapsed()));
    assert!(client.rest().await.is_empty());
    assert_eq!(replica.backend.in_flight(), 0);
}

#[tokio::test]
async fn a_successor_takes_the_sockets_over_without_a_refused_connection() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let address = stage.router.local_addr();
    let sockets = stage.router.sockets().iter().map(|socket| socket.try_clone().unwrap()).collect();
    let mut options = RouterOptions::new(address, ProbeSecret::random());
    options.listen = Listen::Sockets(sockets);
    let successor = Router::start(options, Arc::clone(&stage.routes)).unwrap();
    let clients = tokio::spawn(async move {
        for _ in 0..300 {
            let mut client = Client::connect(address).await;
            client.send(GET).await;
            assert_eq!(client.answer().await.unwrap().text(), "web.1");
        }
    });
    bounded(stage.router.shutdown(PATIENCE)).await;
    bounded(clients).await.unwrap();
    let mut client = Client::connect(successor.local_addr()).await;
    client.send(GET).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_taken_address_is_refused_with_a_sentence() {
    let stage = Stage::new(vec![]);
    let options = RouterOptions::new(stage.router.local_addr(), ProbeSecret::random());
    let error = Router::start(options, Arc::clone(&stage.routes)).unwrap_err();
    assert!(error.to_string().contains("is another server running there?"), "{error}");
}

//! A request goes to another replica when that is safe, and never twice when it is not.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use router::Backend;
use stage::{Client, GET, Replica, Stage, address, nobody, ok, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const POST: &str = "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\n\r\nbody";

#[tokio::test]
async fn a_streamed_upload_goes_whole_to_the_replica_that_takes_connections() {
    let alive = Replica::mirror().await;
    let stage = Stage::new(vec![nobody("web.1"), nobody("web.2"), Arc::clone(&alive.backend)]);
    for _ in 0..20 {
        let mut client = stage.client().await;
        client.send("POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
        client.send("3\r\ndef\r\n0\r\n\r\n").await;
        let answer = client.answer().await.unwrap();
        assert!(answer.text().ends_with("\r\n\r\nabcdef"), "{}", answer.text());
    }
    assert_eq!(alive.backend.requests(), 20);
}

/// A replica that closes each connection after one answer, without saying so, and counts requests and closes.
async fn forgetful(seen: Arc<AtomicUsize>, closed: Arc<AtomicUsize>) -> Replica {
    Replica::raw("web.1", move |mut client| {
        let (seen, closed) = (Arc::clone(&seen), Arc::clone(&closed));
        async move {
            let Some(head) = client.head().await else { return };
            if head.starts_with("POST") {
                client.expect("body").await;
            }
            seen.fetch_add(1, SeqCst);
            client.send(ok("done")).await;
            drop(client);
            closed.fetch_add(1, SeqCst);
        }
    })
    .await
}

#[tokio::test]
async fn a_post_never_meets_a_connection_that_was_closed_before() {
    let (seen, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let replica = forgetful(Arc::clone(&seen), Arc::clone(&closed)).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| options.workers = 1);
    let mut client = stage.client().await;
    for round in 1..=100 {
        client.send(POST).await;
        assert_eq!(client.answer().await.unwrap().text(), "done", "round {round}");
        until(|| closed.load(SeqCst) == round).await;
    }
    assert_eq!(seen.load(SeqCst), 100);
}

/// A replica that answers once per connection and does `then` with the second request.
async fn second(
    seen: Arc<AtomicUsize>,
    then: impl Fn(Client) -> tokio::task::JoinHandle<()> + Send + Sync + 'static,
) -> Replica {
    let then = Arc::new(then);
    Replica::raw("web.1", move |mut client| {
        let (seen, then) = (Arc::clone(&seen), Arc::clone(&then));
        async move {
            client.head().await.unwrap();
            client.send(ok("first")).await;
            if client.head().await.is_some() {
                seen.fetch_add(1, SeqCst);
                then(client).await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_put_with_a_body_is_not_sent_again_although_it_is_idempotent() {
    let seen = Arc::new(AtomicUsize::new(0));
    let replica = second(Arc::clone(&seen), |client| tokio::spawn(async move { drop(client) })).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| options.workers = 1);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.answer().await.unwrap();
    client.send(POST.replace("POST", "PUT")).await;
    assert_eq!(client.answer().await.unwrap().status, 503);
    assert_eq!((seen.load(SeqCst), replica.connections()), (1, 1));
}

#[tokio::test]
async fn a_get_is_not_sent_again_once_a_byte_of_its_answer_came() {
    let seen = Arc::new(AtomicUsize::new(0));
    let replica = second(Arc::clone(&seen), |mut client| {
        tokio::spawn(async move { client.send("HTTP/1.1 200 OK\r\nx: ").await })
    })
    .await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| options.workers = 1);
    let mut client = stage.client().await;
    client.send(GET).await;
    client.answer().await.unwrap();
    client.send(GET).await;
    assert_eq!(client.answer().await.unwrap().status, 503);
    assert_eq!((seen.load(SeqCst), replica.connections()), (1, 1));
    assert!(stage.lines.nth(2).await.contains("code=H13"));
}

/// A replica whose queue for connections is full, so that a new one gets no answer at all.
struct Deaf {
    backend: Arc<Backend>,
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

async fn deaf(name: &str) -> Deaf {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue is never full");
    }
    Deaf { backend: Backend::new(format!("id-{name}"), name, address), listener, _queue: queue }
}

#[tokio::test]
async fn a_replica_that_does_not_take_connections_is_out_within_two_seconds_and_comes_back() {
    let (deaf, alive) = (deaf("web.1").await, Replica::named("web.2").await);
    let stage = Stage::new(vec![Arc::clone(&deaf.backend), Arc::clone(&alive.backend)]);
    let began = Instant::now();
    while !deaf.backend.is_out() {
        assert_eq!(stage.ask(GET).await.text(), "web.2");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    let (asked, failed) = (deaf.backend.requests(), deaf.backend.failed());
    for _ in 0..50 {
        assert_eq!(stage.ask(POST).await.text(), "web.2");
    }
    assert_eq!((deaf.backend.requests(), deaf.backend.failed()), (asked, failed), "nobody is sent to it");
    let answering = tokio::spawn(async move {
        loop {
            let (stream, _) = deaf.listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut client = Client(tokio::io::BufReader::new(stream));
                while client.head().await.is_some() {
                    client.send(ok("web.1")).await;
                }
            });
        }
    });
    until(|| !deaf.backend.is_out()).await;
    let mut answers = Vec::new();
    while !answers.contains(&"web.1".to_owned()) {
        answers.push(stage.ask(GET).await.text());
        assert!(answers.len() < 20, "it has its turn again");
    }
    answering.abort();
}

#[tokio::test]
async fn a_replica_that_refuses_connections_comes_back_without_a_visitors_help() {
    let address = address::reserve();
    let (backend, alive) = (Backend::new("r1", "web.1", address), Replica::named("web.2").await);
    let stage = Stage::new(vec![Arc::clone(&backend), Arc::clone(&alive.backend)]);
    for _ in 0..2 {
        assert_eq!(stage.ask(GET).await.text(), "web.2");
    }
    assert!(backend.is_out());
    let requests = backend.requests();
    let _listener = TcpListener::bind(address).await.unwrap();
    until(|| !backend.is_out()).await;
    assert_eq!(backend.requests(), requests);
}

#[tokio::test]
async fn the_last_replica_is_asked_even_when_it_is_out() {
    let address = address::reserve();
    let backend = Backend::new("r1", "web.1", address);
    let stage = Stage::new(vec![Arc::clone(&backend)]);
    for _ in 0..3 {
        assert_eq!(stage.ask(GET).await.status, 503);
    }
    assert!(backend.is_out());
    assert_eq!(backend.requests(), 3, "each request tries it");
    let listener = TcpListener::bind(address).await.unwrap();
    let accepted = tokio::spawn(async move {
        loop {
            let mut client = Client(tokio::io::BufReader::new(listener.accept().await.unwrap().0));
            if client.head().await.is_some() {
                return client.send(ok("back")).await;
            }
        }
    });
    assert_eq!(stage.ask(GET).await.text(), "back");
    stage::bounded(accepted).await.unwrap();
}

//! Requests reach the right replica, and what they carry is right.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use router::{AppState, PROBE_HEADER, PROBE_MISS_HEADER};
use stage::{Client, GET, Replica, Stage, header, ok, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_host_finds_its_app_in_any_spelling() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    for request in [
        GET,
        "GET / HTTP/1.1\r\nHost: APP:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.\r\n\r\n",
        "GET http://App/ HTTP/1.1\r\nHost: other\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: app\r\n\r\n",
    ] {
        let answer = stage.ask(request).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "web.1"), "{request}");
    }
    let line = stage.lines.nth(1).await;
    assert!(line.starts_with("at=info method=GET path=\"/\" host=app request_id="), "{line}");
    assert!(line.contains(" fwd=\"127.0.0.1\" dyno=web.1 connect="), "{line}");
    assert!(line.ends_with(" status=200 bytes=5 protocol=http"), "{line}");
}

#[tokio::test]
async fn an_unknown_host_gets_a_small_page_and_no_line() {
    let stage = Stage::new(vec![]);
    let answer = stage.ask("GET / HTTP/1.1\r\nhost: nobody\r\naccept: text/html\r\n\r\n").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("<title>Nothing here</title>"));
    let answer = stage.ask("GET / HTTP/1.1\r\nhost: nobody\r\n\r\n").await;
    assert_eq!(
        answer.text(),
        format!("There is no app at this address. Request id: {}\n", answer.header("x-request-id").unwrap())
    );
    assert_eq!(stage.lines.len(), 0);
}

#[tokio::test]
async fn connections_are_reused_on_both_sides() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    for _ in 0..50 {
        client.send(GET).await;
        assert_eq!(client.answer().await.unwrap().text(), "web.1");
    }
    assert_eq!(replica.connections(), 1);
    client.send([GET, GET, GET].concat()).await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.unwrap().text(), "web.1");
    }
    assert_eq!(replica.connections(), 1);
}

#[tokio::test]
async fn http_1_0_clients_get_what_they_can_read() {
    let replica = Replica::answering("web.1", |_, _| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage.ask("GET / HTTP/1.0\r\nhost: app\r\n\r\n").await;
    assert_eq!(answer.text(), "abc");
    assert!(answer.header("transfer-encoding").is_none(), "{}", answer.head);
    let answer = stage.ask(GET).await;
    assert_eq!((answer.text().as_str(), answer.header("transfer-encoding")), ("abc", Some("chunked")));
}

#[tokio::test]
async fn a_replica_learns_where_a_request_came_from() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage
        .ask(
            "GET http://app:99/x?y=1 HTTP/1.1\r\nHost: other\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n\
             X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nPaas-Probe: guess:id\r\n\
             X-Request-Id: abcdefghijklmnopqrst\r\nAccept: x/y\r\n\r\n",
        )
        .await;
    let seen = answer.text();
    assert!(seen.starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{seen}");
    assert_eq!(header(&seen, "host"), Some("app:99"));
    assert_eq!(header(&seen, "x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
    assert_eq!(header(&seen, "x-forwarded-proto"), Some("http"));
    let port = stage.router.local_addr().port().to_string();
    assert_eq!(header(&seen, "x-forwarded-port"), Some(port.as_str()));
    assert_eq!(header(&seen, "x-request-id"), Some("abcdefghijklmnopqrst"));
    assert_eq!(header(&seen, "via"), Some("1.1 paas"));
    assert!(header(&seen, "x-request-start").unwrap().parse::<u64>().unwrap() > 1_600_000_000_000);
    assert_eq!(header(&seen, "accept"), Some("x/y"));
    for name in ["x-hop", "paas-probe", "connection"] {
        assert_eq!(header(&seen, name), None, "{name}");
    }
    let seen = stage.ask("GET / HTTP/1.1\r\nhost: app\r\nx-request-id: bad id\r\n\r\n").await.text();
    assert_eq!(header(&seen, "x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn a_visitor_gets_no_headers_of_the_replicas_connection() {
    let replica = Replica::answering("web.1", |_, _| {
        b"HTTP/1.1 201 Created\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\
          set-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok"
            .to_vec()
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage.ask(GET).await;
    assert_eq!((answer.status, answer.text().as_str()), (201, "ok"));
    for name in ["x-hop", "keep-alive", "connection"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.head.matches("set-cookie: ").count(), 2);
    assert_eq!(answer.header("via"), Some("1.1 paas"));
}

#[tokio::test]
async fn head_and_bodyless_answers_keep_their_length_and_their_connection() {
    let replica = Replica::answering("web.1", |head, _| {
        if head.starts_with("HEAD") {
            b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n".to_vec()
        } else {
            b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n".to_vec()
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut client = stage.client().await;
    client.send("HEAD / HTTP/1.1\r\nhost: app\r\n\r\n").await;
    assert_eq!(header(&client.head().await.unwrap(), "content-length"), Some("1234"));
    client.send(GET).await;
    assert_eq!(client.answer().await.unwrap().status, 304);
    client.send("HEAD / HTTP/1.1\r\nhost: app\r\n\r\n").await;
    assert!(client.head().await.is_some());
    assert_eq!(replica.connections(), 1);
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn a_request_goes_to_the_replica_with_the_fewest_in_flight() {
    let slow = Replica::raw("web.1", |mut client| async move {
        client.head().await;
        std::future::pending().await
    })
    .await;
    let quick = Replica::named("web.2").await;
    let stage = Stage::new(vec![Arc::clone(&slow.backend), Arc::clone(&quick.backend)]);
    let mut held = Vec::new();
    while slow.backend.in_flight() == 0 {
        let mut client = stage.client().await;
        client.send(GET).await;
        held.push(client);
        until(|| slow.backend.in_flight() + usize::try_from(quick.backend.requests()).unwrap() >= held.len())
            .await;
    }
    for _ in 0..20 {
        assert_eq!(stage.ask(GET).await.text(), "web.2");
    }
    assert_eq!(slow.backend.in_flight(), 1);
}

#[tokio::test]
async fn equal_replicas_take_turns() {
    let (one, two) = (Replica::named("web.1").await, Replica::named("web.2").await);
    let stage = Stage::new(vec![Arc::clone(&one.backend), Arc::clone(&two.backend)]);
    let mut client = stage.client().await;
    for _ in 0..20 {
        client.send(GET).await;
        client.answer().await.unwrap();
    }
    assert_eq!((one.backend.requests(), two.backend.requests()), (10, 10));
}

fn probe(stage: &Stage, replica: &str, host: &str) -> String {
    let value = stage.secret.header(replica).unwrap();
    format!("GET / HTTP/1.1\r\nhost: {host}\r\n{PROBE_HEADER}: {}\r\n\r\n", value.to_str().unwrap())
}

#[tokio::test]
async fn a_probe_reaches_exactly_its_replica_in_rotation_or_not() {
    let (one, two) = (Replica::named("web.1").await, Replica::mirror().await);
    let stage = Stage::with(vec![Arc::clone(&one.backend)], |_, app| {
        app.probed = vec![Arc::clone(&two.backend)];
        app.state = AppState::Maintenance;
    });
    for _ in 0..3 {
        assert_eq!(stage.ask(&probe(&stage, "id-web.1", "app")).await.text(), "web.1");
        let seen = stage.ask(&probe(&stage, two.backend.replica(), "app")).await.text();
        assert_eq!(header(&seen, "paas-probe"), None, "the secret must not reach a replica");
    }
    for (replica, host) in [("id-web.9", "app"), ("id-web.1", "nobody")] {
        let miss = stage.ask(&probe(&stage, replica, host)).await;
        assert_eq!((miss.status, miss.header(PROBE_MISS_HEADER.as_str())), (404, Some("1")));
    }
    assert_eq!(stage.lines.len(), 0, "probes are not logged");
    assert_eq!(stage.ask(GET).await.status, 503);
    let guess = format!("GET / HTTP/1.1\r\nhost: app\r\n{PROBE_HEADER}: {}:id-web.1\r\n\r\n", "0".repeat(64));
    assert_eq!(stage.ask(&guess).await.status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_table_changes() {
    let replicas =
        [Replica::named("web.1").await, Replica::named("web.2").await, Replica::named("web.3").await];
    let stage = Stage::new(vec![Arc::clone(&replicas[0].backend)]);
    let done = Arc::new(AtomicBool::new(false));
    let address = stage.router.local_addr();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut served = 0;
                while !done.load(SeqCst) {
                    client.send(GET).await;
                    assert_eq!(client.answer().await.unwrap().status, 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    for round in 0..300 {
        stage.serve(vec![Arc::clone(&replicas[round % 3].backend)]);
        tokio::task::yield_now().await;
        until(|| replicas[round % 3].backend.requests() > round as u64 / 3).await;
    }
    done.store(true, SeqCst);
    let mut served = 0;
    for client in clients {
        served += client.await.unwrap();
    }
    assert!(served >= 300);
    until(|| stage.lines.len() == served).await;
    assert!(replicas.iter().all(|replica| replica.backend.in_flight() == 0));
}

#[tokio::test]
async fn a_custom_reason_and_a_large_answer_arrive_whole() {
    let body = vec![b'x'; 3_000_000];
    let expected = body.clone();
    let replica = Replica::answering("web.1", move |_, _| ok(&body)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let answer = stage.ask(GET).await;
    assert!(answer.body == expected);
    assert!(stage.lines.nth(1).await.contains("bytes=3000000 "));
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").await;
    let mut all = Vec::new();
    client.0.read_to_end(&mut all).await.unwrap();
    assert!(all.len() > 3_000_000, "the connection ends after the answer");
}

#[tokio::test]
async fn a_replica_that_leaves_the_table_loses_its_idle_connections() {
    let closed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&closed);
    let replica = Replica::raw("web.1", move |mut client| {
        let closed = Arc::clone(&seen);
        async move {
            client.head().await.unwrap();
            client.send(ok("web.1")).await;
            client.rest().await;
            closed.store(true, SeqCst);
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_eq!(stage.ask(GET).await.text(), "web.1");
    stage.serve(vec![]);
    until(|| closed.load(SeqCst)).await;
}

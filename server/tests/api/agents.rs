//! The port of hosts, on a real socket: nothing is read of who may not say it, and nothing is waited for without end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::{About, Credentials, HostKey, Join, Joined, Link, LinkError, ServerUrl};
use model::id::ReplicaId;
use paasd::agents::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// Far more than anything takes that is not waited for without end.
const ENDLESS: Duration = Duration::from_secs(60);

/// Far longer than a test.
const LONG: Limits = Limits { idle: Duration::from_secs(600), proof: Duration::from_secs(600) };

/// Opens the port.
fn open(server: &Server, limits: Limits) -> SocketAddr {
    server.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(paasd::agents::run(server.platform.clone(), listener, limits, stop));
        address
    })
}

fn link(server: &Server, port: SocketAddr, who: &Arc<Credentials>) -> Link {
    let authority = fleet::read_certificate(server.platform.agents.authority_pem()).unwrap();
    let url: ServerUrl = format!("https://{port}").parse().unwrap();
    Link::new(url, fleet::link_config(&authority, who.clone()).unwrap(), who.clone())
}

/// Joins as a host.
fn join(server: &Server, port: SocketAddr) -> Arc<Credentials> {
    let made = server.ask("POST", "/hosts").body(json!({ "name": "app-1", "zone": "a" })).expect(201);
    let token: fleet::JoinToken = made["token"].as_str().unwrap().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let key = HostKey::at(&dir.path().join("key.pem")).unwrap();
    let (name, request, about) = ("app-1".to_owned(), key.request().unwrap(), About::default());
    let join = Join { secret: token.secret, name, request, about };
    let line = link(server, port, &Credentials::empty());
    let joined: Joined = server.run(line.ask("/agent/join", &join, Duration::ZERO)).unwrap();
    let credentials = Credentials::empty();
    credentials.replace_pem(&joined.certificate, &key).unwrap();
    credentials
}

/// Announces a body, sends pieces of it with a pause before each, and returns the answer.
async fn post(
    server: &Server,
    port: SocketAddr,
    who: &Arc<Credentials>,
    (path, length): (&str, usize),
    pieces: &[(&str, Duration)],
) -> String {
    let authority = fleet::read_certificate(server.platform.agents.authority_pem()).unwrap();
    let config = fleet::link_config(&authority, who.clone()).unwrap();
    let (connector, name) = fleet::way_in(&config, ReplicaId::new()).unwrap();
    let mut line = connector.connect(name, TcpStream::connect(port).await.unwrap()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: control\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    line.write_all(head.as_bytes()).await.unwrap();
    for (piece, pause) in pieces {
        tokio::time::sleep(*pause).await;
        let _ = line.write_all(piece.as_bytes()).await;
        let _ = line.flush().await;
    }
    let mut answer = Vec::new();
    let _ = timeout(ENDLESS, line.read_to_end(&mut answer)).await.expect("it waits without end");
    String::from_utf8(answer).unwrap()
}

#[test]
fn who_shows_no_certificate_is_refused_before_anything_of_a_body_comes() {
    let server = Server::start();
    let port = open(&server, LONG);
    for path in ["/agent/sync", "/agent/logs", "/agent/renew"] {
        let answer = server.run(post(&server, port, &Credentials::empty(), (path, 1_000), &[]));
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
        assert!(answer.contains("no certificate of a host was shown"), "{path}: {answer}");
    }
}

#[test]
fn a_machine_that_does_not_finish_what_it_says_to_join_is_given_up() {
    let server = Server::start();
    let port = open(&server, Limits { proof: Duration::from_millis(500), ..LONG });
    let trickle = [(" ", Duration::from_millis(50)); 40];
    let begun = Instant::now();
    let nobody = Credentials::empty();
    let answer = server.run(post(&server, port, &nobody, ("/agent/join", 1_000), &trickle));
    assert!(answer.starts_with("HTTP/1.1 4"), "after {:?}: {answer}", begun.elapsed());
}

#[test]
fn a_host_on_a_slow_line_is_heard_for_as_long_as_something_comes() {
    let server = Server::start();
    let idle = Duration::from_secs(2);
    let port = open(&server, Limits { idle, ..LONG });
    let host = join(&server, port);
    let body = serde_json::to_string(&fleet::Sync::default()).unwrap();
    let (begin, end) = body.split_at(1);
    let mut pieces = vec![(begin, Duration::ZERO)];
    pieces.extend([(" ", idle / 4); 8]);
    pieces.push((end, idle / 4));
    let answer = server.run(post(&server, port, &host, ("/agent/sync", body.len() + 8), &pieces));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = server.run(post(&server, port, &host, ("/agent/sync", body.len()), &[(begin, idle / 4)]));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn a_host_that_was_removed_is_told_so_however_much_it_has_to_say() {
    let server = Server::start();
    let port = open(&server, LONG);
    let host = join(&server, port);
    let line = link(&server, port, &host);
    let say =
        || server.run(line.ask::<fleet::Synced>("/agent/sync", &fleet::Sync::default(), Duration::ZERO));
    say().unwrap();
    server.ask("DELETE", "/hosts/app-1").expect(200);
    assert!(say().unwrap_err().is_removed());
    let much = vec![b' '; 15 << 20].into();
    let said = server.run(line.send::<fleet::Taken>("/agent/logs", "text/plain", much, Duration::ZERO));
    assert!(said.as_ref().is_err_and(LinkError::is_removed), "{said:?}");
}

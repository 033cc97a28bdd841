//! A host's line to a server lasts longer than its certificate.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::{Duration, Instant};

use fleet::{Authority, Bearer, Call, Credentials, HostKey, Link, ServerUrl};
use model::id::HostId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers every request with whether the certificate of who asks has expired.
async fn answer(call: Call) {
    let bearer = call.bearer.unwrap();
    let mut stream = BufReader::new(call.stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        let body = bearer.has_expired().to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

#[tokio::test]
async fn a_line_that_is_kept_shows_the_fresh_certificate_once_there_is_one() {
    let mut authority = Authority::generate().unwrap();
    authority.set_host_life(Duration::from_secs(2));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: ServerUrl = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let config =
        fleet::server_config(authority.certificate(), authority.server_credentials().unwrap()).unwrap();
    tokio::spawn(fleet::take_calls(listener, config, CancellationToken::new(), answer));

    let dir = tempfile::tempdir().unwrap();
    let key = HostKey::at(&dir.path().join("key.pem")).unwrap();
    let (host, credentials) = (HostId::new(), Credentials::empty());
    let request = key.request().unwrap();
    credentials.replace_pem(&authority.host_certificate(host, &request).unwrap(), &key).unwrap();
    let config = fleet::link_config(authority.certificate(), credentials.clone()).unwrap();
    let link = Link::new(url, config, credentials.clone());
    let has_expired = async || link.ask::<bool>("/", &(), Duration::ZERO).await.unwrap();
    assert!(!has_expired().await);
    let first = Bearer::read(&credentials.certificate().unwrap()).unwrap();
    let begun = Instant::now();
    while !first.has_expired() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(has_expired().await, "the server goes by what was shown");
    authority.set_host_life(Duration::from_secs(3600));
    credentials.replace_pem(&authority.host_certificate(host, &request).unwrap(), &key).unwrap();
    assert!(!has_expired().await);
}

//! TLS with a certificate per domain, read again when it changes, for HTTP/1.1 and HTTP/2.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use router::{Listen, ProbeSecret, Router, RouterOptions, Tls};
use stage::{PATIENCE, Replica, Stage, bounded, ok};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

/// Lays a new certificate for `domain` down in `dir/name` and returns it.
fn certify(dir: &Path, name: &str, domain: &str) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([domain.to_owned()]).unwrap();
    let own = dir.join(name);
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("fullchain.pem"), cert.pem()).unwrap();
    std::fs::write(own.join("privkey.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn stage(dir: &Path, replica: &Replica) -> Stage {
    let certificates = dir.to_owned();
    Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
        options.tls = Some(Tls { listen, certificates });
    })
}

/// Shakes hands as a visitor of `domain` who trusts `certificate`.
async fn shake(
    address: SocketAddr,
    domain: &str,
    certificate: &CertificateDer<'static>,
    alpn: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    let domain = ServerName::try_from(domain.to_owned()).unwrap();
    bounded(TlsConnector::from(Arc::new(config)).connect(domain, stream)).await
}

async fn ask(mut stream: TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = bounded(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn both_versions_are_spoken_over_tls_and_the_replica_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "app", "app");
    let replica = Replica::mirror().await;
    let stage = stage(dir.path(), &replica).await;
    let address = stage.router.tls_addr().unwrap();
    let stream = shake(address, "app", &certificate, "http/1.1").await.unwrap();
    let heard = ask(stream).await;
    let port = format!("x-forwarded-port: {}\r\n", address.port());
    assert!(heard.contains("x-forwarded-proto: https\r\n") && heard.contains(&port), "{heard}");
    assert!(stage.lines.nth(1).await.ends_with("protocol=https"));

    let stream = shake(address, "app", &certificate, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://app/").body(Empty::<Bytes>::new()).unwrap();
    let response = bounded(sender.send_request(request)).await.unwrap();
    let heard = bounded(response.into_body().collect()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&heard).contains("x-forwarded-proto: https\r\n"));
    assert_eq!(stage.ask(stage::GET).await.status, 200, "the other entrance stays in the clear");
}

#[tokio::test]
async fn each_domain_gets_its_own_certificate_and_a_stranger_none() {
    let dir = tempfile::tempdir().unwrap();
    let own = certify(dir.path(), "app", "app");
    let wild = certify(dir.path(), "_.example.org", "*.example.org");
    let exact = certify(dir.path(), "shop.example.org", "shop.example.org");
    let replica = Replica::mirror().await;
    let stage = stage(dir.path(), &replica).await;
    let address = stage.router.tls_addr().unwrap();
    for (domain, certificate) in [("app", &own), ("a.example.org", &wild), ("shop.example.org", &exact)] {
        let stream = shake(address, domain, certificate, "http/1.1").await.unwrap();
        assert_eq!(&stream.get_ref().1.peer_certificates().unwrap()[0], certificate, "{domain}");
    }
    for domain in ["example.org", "a.b.example.org", "other"] {
        assert!(shake(address, domain, &wild, "http/1.1").await.is_err(), "{domain}");
    }
}

/// Waits until the certificate shown for `app` is `wanted`.
async fn shown(address: SocketAddr, wanted: &CertificateDer<'static>) {
    let deadline = Instant::now() + PATIENCE;
    while shake(address, "app", wanted, "http/1.1").await.is_err() {
        assert!(Instant::now() < deadline, "the certificate is not shown in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let replica = Replica::mirror().await;
    let stage = stage(dir.path(), &replica).await;
    let address = stage.router.tls_addr().unwrap();
    let first = certify(dir.path(), "app", "app");
    shown(address, &first).await;
    std::fs::write(dir.path().join("app/fullchain.pem"), "no certificate").unwrap();
    // Another one tells that the directory was looked through since.
    let other = certify(dir.path(), "other", "other");
    let deadline = Instant::now() + PATIENCE;
    while shake(address, "other", &other, "http/1.1").await.is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shown(address, &first).await;
    let second = certify(dir.path(), "app", "app");
    shown(address, &second).await;
    assert!(shake(address, "app", &first, "http/1.1").await.is_err());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let replica = Replica::mirror().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.header = Duration::from_millis(200);
        let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
        options.tls = Some(Tls { listen, certificates: dir.path().to_owned() });
    });
    let mut client = stage::Client::connect(stage.router.tls_addr().unwrap()).await;
    assert!(client.rest().await.is_empty());
    let mut client = stage::Client::connect(stage.router.tls_addr().unwrap()).await;
    client.send("GET / HTTP/1.1\r\nhost: app\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&client.rest().await).contains("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_websocket_passes_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "app", "app");
    let replica = Replica::raw("web.1", |mut client| async move {
        client.head().await.unwrap();
        client.send("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
        let (mut read, mut write) = client.0.into_inner().into_split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let stage = stage(dir.path(), &replica).await;
    let mut stream = shake(stage.router.tls_addr().unwrap(), "app", &certificate, "http/1.1").await.unwrap();
    let upgrade = b"GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(upgrade).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(bounded(stream.read_u8()).await.unwrap());
    }
    stream.write_all(&[0x82, 1, 7]).await.unwrap();
    let mut back = [0; 3];
    bounded(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, [0x82, 1, 7]);
    replica.backend.leave(Instant::now());
    let mut last = [0; 4];
    bounded(stream.read_exact(&mut last)).await.unwrap();
    assert_eq!(last, [0x88, 2, 0x03, 0xe9]);
}

#[tokio::test]
async fn a_successor_takes_the_sockets_for_tls_over() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "app", "app");
    let replica = Replica::answering("web.1", |_, _| ok("web.1")).await;
    let stage = stage(dir.path(), &replica).await;
    let address = stage.router.tls_addr().unwrap();
    let copies = |sockets: &[std::net::TcpListener]| {
        Listen::Sockets(sockets.iter().map(|socket| socket.try_clone().unwrap()).collect())
    };
    let mut options = RouterOptions::new(address, ProbeSecret::random());
    options.listen = copies(stage.router.sockets());
    options.tls = stage.router.tls().unwrap();
    let successor = Router::start(options, Arc::clone(&stage.routes)).unwrap();
    bounded(stage.router.shutdown(PATIENCE)).await;
    assert_eq!(successor.tls_addr(), Some(address));
    let stream = shake(address, "app", &certificate, "http/1.1").await.unwrap();
    assert!(ask(stream).await.ends_with("web.1"));
}

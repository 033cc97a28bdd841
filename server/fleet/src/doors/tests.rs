//! Machines that nobody knows take no place of a host, whatever they do at the port.

use std::net::SocketAddr;

use model::id::{HostId, ReplicaId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{Authority, Credentials, HostKey, link_config, server_config, way_in};

const SMALL: Room = Room { handshakes: 2, hosts: 1, strangers: 2, stranger: Duration::from_secs(600) };

type Line = tokio_rustls::client::TlsStream<TcpStream>;

/// A port, and who may call there.
struct Port {
    address: SocketAddr,
    authority: Authority,
    dir: TempDir,
}

/// Says who called, then holds the line until the caller ends it.
async fn answer(mut call: Call) {
    let _ = call.stream.write_all(if call.bearer.is_some() { b"h" } else { b"s" }).await;
    let _ = call.stream.flush().await;
    let _ = call.stream.read(&mut [0]).await;
}

impl Port {
    async fn open(room: Room) -> Self {
        let authority = Authority::generate().unwrap();
        let config = server_config(authority.certificate(), authority.server_credentials().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(take_within(room, listener, config, CancellationToken::new(), answer));
        Self { address, authority, dir: tempfile::tempdir().unwrap() }
    }

    fn host(&self) -> Arc<Credentials> {
        let key = HostKey::at(&self.dir.path().join("key.pem")).unwrap();
        let credentials = Credentials::empty();
        let certificate = self.authority.host_certificate(HostId::new(), &key.request().unwrap()).unwrap();
        credentials.replace_pem(&certificate, &key).unwrap();
        credentials
    }

    async fn connect(&self, who: Arc<Credentials>) -> Line {
        let config = link_config(self.authority.certificate(), who).unwrap();
        let (connector, name) = way_in(&config, ReplicaId::new()).unwrap();
        connector.connect(name, TcpStream::connect(self.address).await.unwrap()).await.unwrap()
    }

    /// Calls, and returns the line and what is said first: nothing to who gets no place.
    async fn call(&self, who: Arc<Credentials>) -> (Line, Vec<u8>) {
        let mut line = self.connect(who).await;
        let mut said = vec![0];
        let length = line.read(&mut said).await.unwrap_or(0);
        said.truncate(length);
        (line, said)
    }
}

#[tokio::test]
async fn machines_without_a_certificate_leave_the_places_of_hosts_free() {
    let port = Port::open(SMALL).await;
    let (_one, first) = port.call(Credentials::empty()).await;
    let (two, second) = port.call(Credentials::empty()).await;
    assert_eq!((first, second), (b"s".to_vec(), b"s".to_vec()));
    let (_, third) = port.call(Credentials::empty()).await;
    assert_eq!(third, b"", "there are two places");
    let (_host, said) = port.call(port.host()).await;
    assert_eq!(said, b"h");
    let (_, said) = port.call(port.host()).await;
    assert_eq!(said, b"", "there is one place");
    drop(two);
    let begun = std::time::Instant::now();
    while port.call(Credentials::empty()).await.1 != b"s" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the place is never free");
    }
}

#[tokio::test]
async fn a_machine_without_a_certificate_is_cut_off_in_the_end_and_a_host_is_not() {
    let port = Port::open(Room { stranger: Duration::from_millis(200), ..SMALL }).await;
    let (_host, _) = port.call(port.host()).await;
    let mut stranger = port.connect(Credentials::empty()).await;
    let mut said = Vec::new();
    let ended = timeout(Duration::from_secs(60), stranger.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "it is still there");
    let (_, said) = port.call(port.host()).await;
    assert_eq!(said, b"", "the host has its place yet");
}

#[tokio::test]
async fn connections_that_never_shake_hands_hold_hosts_up_for_moments_only() {
    let port = Port::open(SMALL).await;
    let mut silent = Vec::new();
    for _ in 0..SMALL.handshakes {
        silent.push(TcpStream::connect(port.address).await.unwrap());
    }
    let called = timeout(Duration::from_secs(60), port.call(port.host())).await;
    assert_eq!(called.unwrap().1, b"h");
}

//! What becomes of requests when an entry is told to stop.

use model::id::HostId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::{Authority, Credentials, HostKey, entry_config, way_in, way_in_config};

/// Far longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// Far more than anything here takes.
const ENDLESS: Duration = Duration::from_secs(60);

/// An entry before one replica, which listens here.
struct Host {
    address: SocketAddr,
    authority: Authority,
    id: HostId,
    replica: TcpListener,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _dir: TempDir,
}

struct There(SocketAddr);

impl Places for There {
    fn place(&self, _: ReplicaId) -> Option<SocketAddr> {
        Some(self.0)
    }
}

impl Host {
    async fn start(last: Duration) -> Self {
        let (authority, dir, id) =
            (Authority::generate().unwrap(), tempfile::tempdir().unwrap(), HostId::new());
        let key = HostKey::at(&dir.path().join("key.pem")).unwrap();
        let credentials = Credentials::empty();
        let certificate = authority.host_certificate(id, &key.request().unwrap()).unwrap();
        credentials.replace_pem(&certificate, &key).unwrap();
        let config = entry_config(authority.certificate(), credentials).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replica = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = Entry::new(listener, config, Arc::new(There(replica.local_addr().unwrap())));
        let stop = CancellationToken::new();
        let running = tokio::spawn(entry.run_within(last, stop.clone()));
        Self { address, authority, id, replica, stop, running, _dir: dir }
    }

    /// Opens a line as a router does; returns both of its ends.
    async fn open(&self) -> (TlsStream<TcpStream>, TcpStream) {
        let server = self.authority.server_credentials().unwrap();
        let config = way_in_config(self.authority.certificate(), server, self.id).unwrap();
        let (connector, name) = way_in(&config, ReplicaId::new()).unwrap();
        let line = TcpStream::connect(self.address).await.unwrap();
        let (line, replica) = tokio::join!(connector.connect(name, line), self.replica.accept());
        (line.unwrap(), replica.unwrap().0)
    }

    /// Waits until nobody is let in any more.
    async fn is_closed(&self) {
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

async fn says(from: &mut (impl tokio::io::AsyncRead + Unpin), what: &[u8]) {
    let mut said = vec![0; what.len()];
    timeout(ENDLESS, from.read_exact(&mut said)).await.expect("nothing comes").unwrap();
    assert_eq!(said, what);
}

#[tokio::test]
async fn who_was_asked_before_the_end_answers_and_nobody_else_is_let_in() {
    let host = Host::start(LONG).await;
    let (mut line, mut replica) = host.open().await;
    let _idle = host.open().await;
    line.write_all(b"ask").await.unwrap();
    says(&mut replica, b"ask").await;
    host.stop.cancel();
    timeout(ENDLESS, host.is_closed()).await.expect("it still lets somebody in");
    assert!(!host.running.is_finished(), "it did not wait for the answer");
    for part in [b"part", b"rest"] {
        replica.write_all(part).await.unwrap();
        says(&mut line, part).await;
    }
    timeout(ENDLESS, host.running).await.expect("it never ends").unwrap();
}

#[tokio::test]
async fn what_is_never_answered_is_waited_for_so_long_and_no_longer() {
    let host = Host::start(Duration::from_millis(100)).await;
    let (mut line, mut replica) = host.open().await;
    line.write_all(b"ask").await.unwrap();
    says(&mut replica, b"ask").await;
    host.stop.cancel();
    timeout(ENDLESS, host.running).await.expect("it never ends").unwrap();
}

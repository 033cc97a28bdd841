//! The metadata service of an instance, over real HTTP, as the second version of AWS's is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use fleet::InstanceIdentity;

/// What it tells, by path.
pub(crate) struct MetadataService {
    tells: Mutex<BTreeMap<String, String>>,
    /// So many requests are answered as while the machine boots.
    pub(crate) boots: AtomicUsize,
    /// Tokens with other numbers are no good.
    pub(crate) token: AtomicUsize,
    pub(crate) address: SocketAddr,
}

impl MetadataService {
    pub(crate) async fn start(identity: &InstanceIdentity) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Arc::new(Self {
            tells: Mutex::default(),
            boots: AtomicUsize::new(0),
            token: AtomicUsize::new(1),
            address: listener.local_addr().unwrap(),
        });
        service.tell("dynamic/instance-identity/document", &identity.document);
        service.tell("dynamic/instance-identity/rsa2048", &identity.signature);
        let routes = Router::new().route("/latest/api/token", put(token)).route("/latest/{*path}", get(tell));
        let routes = routes.with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        service
    }

    pub(crate) fn tell(&self, path: &str, text: &str) {
        self.tells.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }

    fn is_booting(&self) -> bool {
        self.boots.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

async fn token(
    State(service): State<Arc<MetadataService>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    if service.is_booting() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let life = headers.get("x-aws-ec2-metadata-token-ttl-seconds").ok_or(StatusCode::BAD_REQUEST)?;
    let life: u32 = life.to_str().unwrap().parse().unwrap();
    assert!((1..=21_600).contains(&life), "AWS takes no other");
    Ok(format!("token-{}", service.token.load(SeqCst)))
}

async fn tell(
    State(service): State<Arc<MetadataService>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let expected = format!("token-{}", service.token.load(SeqCst));
    if headers.get("x-aws-ec2-metadata-token").is_none_or(|token| token != expected.as_str()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    service.tells.lock().unwrap().get(&path).cloned().ok_or(StatusCode::NOT_FOUND)
}

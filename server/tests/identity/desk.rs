//! A server's port for hosts, on which instances are taken in: the real handshake, the real registrar, a real database.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use fleet::{Authority, Call, Enrol, Joined, Sync, Synced};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use model::id::LaunchId;
use model::instances::{Lifecycle, Pool};
use paasd::agents::{Agents, Refusal, Registrar};
use paasd::notices::Notices;
use store::{Launch, NewLaunch, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sky::{IMAGE, INSTANCE, Sky, ZONE};

/// What an instance shows of its launch.
pub(crate) const SECRET: &str = "5ec7e7";

/// Who takes instances in.
pub(crate) struct Desk {
    _dir: TempDir,
    pub(crate) store: Store,
    pub(crate) authority: String,
    agents: Agents,
    sky: Arc<Sky>,
    pub(crate) launch: LaunchId,
    pub(crate) notices: Notices,
    /// How many answers are lost on their way.
    pub(crate) loses: AtomicUsize,
    pub(crate) address: SocketAddr,
}

impl Desk {
    /// Opens one that knows of one launch.
    pub(crate) async fn open(sky: &Arc<Sky>) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_file(&dir.path().join("paas.db")).await.unwrap();
        let authority = Authority::generate().unwrap();
        let config =
            fleet::server_config(authority.certificate(), authority.server_credentials().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Arc::new(Self {
            _dir: dir,
            store,
            authority: authority.pem().to_owned(),
            agents: Agents::of(authority).unwrap().believing(sky.certificates()),
            sky: sky.clone(),
            launch: LaunchId::new(),
            notices: Notices::default(),
            loses: AtomicUsize::new(0),
            address: listener.local_addr().unwrap(),
        });
        desk.order().await;
        let routes = Router::new().route("/agent/enrol", post(enrol)).route("/agent/sync", post(sync));
        let routes = routes.with_state(desk.clone());
        let answer = move |call: Call| {
            let service = TowerToHyperService::new(routes.clone().layer(Extension(call.from)));
            let stream = TokioIo::new(call.stream);
            async move {
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
            }
        };
        tokio::spawn(fleet::take_calls(listener, config, CancellationToken::new(), answer));
        desk
    }

    async fn order(&self) {
        let pool =
            Pool { zone: ZONE.to_owned(), instance_type: "small".to_owned(), lifecycle: Lifecycle::OnDemand };
        let new = NewLaunch {
            id: self.launch,
            pool: &pool,
            image: IMAGE,
            sealed_user_data: "",
            nonce: SECRET,
            reason: "a test",
            at: Timestamp::now(),
        };
        let mut tx = self.store.write().await.unwrap();
        store::create_launch(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Takes an instance in as if it called from this address.
    pub(crate) async fn enrol(&self, enrol: Enrol, from: [u8; 4]) -> Result<Joined, Refusal> {
        let cloud = self.sky.clone() as _;
        let registrar = Registrar { store: &self.store, agents: &self.agents, cloud: &cloud };
        registrar.enrol(enrol, from.into()).await
    }

    pub(crate) async fn hosts(&self) -> Vec<store::Host> {
        store::list_hosts(&mut self.store.read().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn ordered(&self) -> Launch {
        store::list_launches(&mut self.store.read().await.unwrap()).await.unwrap().remove(0)
    }

    /// Returns what people are told of the instance, the newest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let events = store::list_fleet_events(&mut self.store.read().await.unwrap(), 100).await.unwrap();
        assert!(events.iter().all(|event| event.about == INSTANCE));
        events.into_iter().map(|event| event.message).collect()
    }
}

async fn enrol(
    State(desk): State<Arc<Desk>>,
    Extension(from): Extension<std::net::IpAddr>,
    Json(enrol): Json<Enrol>,
) -> Response {
    let cloud = desk.sky.clone() as _;
    let registrar = Registrar { store: &desk.store, agents: &desk.agents, cloud: &cloud };
    let answer = registrar.enrol(enrol, from).await.map(Json).into_response();
    let loses = |left: usize| left.checked_sub(1);
    match answer.status().is_success() && desk.loses.fetch_update(SeqCst, SeqCst, loses).is_ok() {
        true => axum::http::StatusCode::BAD_GATEWAY.into_response(),
        false => answer,
    }
}

/// Hears whether the instance is taken back.
async fn sync(State(desk): State<Arc<Desk>>, Json(sync): Json<Sync>) -> Json<Synced> {
    if sync.report.is_none()
        && let Some(host) = desk.hosts().await.first()
    {
        desk.notices.take(host.id, sync.told);
    }
    tokio::time::sleep(std::time::Duration::from_millis(sync.hold_ms.min(200))).await;
    Json(Synced { report_number: Some(sync.report_number), ..Synced::default() })
}

//! Takes the calls of hosts and of machines that join. Nothing else is answered on this port, and nothing of it elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn_with_state, map_request};
use axum::routing::{get, post};
use axum::{Extension, Router};
use fleet::Call;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::admission::Caller;
use super::{bodies, gate, join, logs, minutes, seen, slugs, sync};
use crate::platform::Platform;

/// Most bytes of what a host says at once.
const BODY_MAX: usize = 16 << 20;

/// Most bytes of what proves who a machine is: anybody may send that.
const PROOF_MAX: usize = 64 << 10;

/// How long a host may be silent between two requests.
const SILENT: Duration = Duration::from_secs(60);

/// How long a machine without a certificate may take to say what it wants.
const STRANGER_HEAD: Duration = Duration::from_secs(10);

/// Most bytes of that.
const STRANGER_HEAD_MAX: usize = 16 << 10;

/// How long bodies may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a host may send nothing in the middle of one, which may take as long as its line needs; 20 s.
    pub idle: Duration,
    /// How long one may take in all that proves who a machine is; 10 s.
    pub proof: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(20), proof: Duration::from_secs(10) }
    }
}

/// How often this server makes itself a fresh certificate.
const RENEW: Duration = Duration::from_hours(7 * 24);

fn routes(platform: Arc<Platform>, limits: Limits) -> Router {
    let idle =
        move |request: Request| async move { request.map(|body| bodies::never_idle(body, limits.idle)) };
    let whole = move |request: Request| async move { request.map(|body| bodies::within(body, limits.proof)) };
    let anybody = Router::new()
        .route("/agent/join", post(join::join))
        .route("/agent/enrol", post(join::enrol))
        .layer(DefaultBodyLimit::max(PROOF_MAX));
    let late = Router::new()
        .route("/agent/renew", post(join::renew))
        .layer(from_fn_with_state(Arc::clone(&platform), gate::let_in_late))
        .layer(DefaultBodyLimit::max(PROOF_MAX));
    let hosts = Router::new()
        .route("/agent/sync", post(sync::sync))
        .route("/agent/logs", post(logs::take))
        .route("/agent/minutes", post(minutes::take))
        .route("/agent/slugs/{digest}", get(slugs::fetch))
        .route("/agent/slugs/within-reach", post(slugs::within_reach))
        .layer(from_fn_with_state(Arc::clone(&platform), gate::let_in))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(map_request(idle));
    anybody.merge(late).layer(map_request(whole)).merge(hosts).with_state(platform)
}

/// Answers hosts until it is told to stop.
pub async fn run(platform: Arc<Platform>, listener: TcpListener, limits: Limits, stop: CancellationToken) {
    let agents = &platform.agents;
    let config = match fleet::server_config(agents.authority.certificate(), Arc::clone(&agents.server)) {
        Ok(config) => config,
        Err(error) => {
            warn!(error = format!("{error:#}"), "hosts cannot be answered");
            return stop.cancelled().await;
        }
    };
    let service = routes(Arc::clone(&platform), limits);
    let told = stop.clone();
    let take = move |call: Call| {
        let (service, stop) = (service.clone(), told.clone());
        async move { answer(call, service, stop).await }
    };
    let renew = async {
        loop {
            tokio::time::sleep(RENEW).await;
            if let Err(error) = platform.agents.renew() {
                warn!(error = format!("{error:#}"), "this server has no fresh certificate");
            }
        }
    };
    tokio::select! {
        () = fleet::take_calls(listener, config, stop.clone(), take) => {}
        () = renew => {}
        () = seen::note(Arc::clone(&platform)) => {}
    }
}

async fn answer(call: Call, service: Router, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(SILENT);
    if call.bearer.is_none() {
        // It asks once: the next request would have what is left of the connection's time.
        builder.keep_alive(false).header_read_timeout(STRANGER_HEAD).max_buf_size(STRANGER_HEAD_MAX);
    }
    let caller = Caller { from: call.from.to_canonical(), bearer: call.bearer };
    let service = TowerToHyperService::new(service.layer(Extension(caller)));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(call.stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a host's connection broke");
    }
}

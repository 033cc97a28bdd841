//! Takes the calls of hosts and of machines that join. Nothing else is answered on this port, and nothing of it elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
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
use super::{join, logs, seen, slugs, sync};
use crate::platform::Platform;

/// Most bytes of what a host says at once.
const BODY_MAX: usize = 16 << 20;

/// How long a host may be silent between two requests.
const SILENT: Duration = Duration::from_secs(60);

/// How often this server makes itself a fresh certificate.
const RENEW: Duration = Duration::from_hours(7 * 24);

fn routes(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/agent/join", post(join::join).layer(DefaultBodyLimit::max(64 << 10)))
        .route("/agent/enrol", post(join::enrol).layer(DefaultBodyLimit::max(64 << 10)))
        .route("/agent/renew", post(join::renew).layer(DefaultBodyLimit::max(64 << 10)))
        .route("/agent/sync", post(sync::sync))
        .route("/agent/logs", post(logs::take))
        .route("/agent/slugs/{digest}", get(slugs::fetch))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(platform)
}

/// Answers hosts until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, listener: TcpListener, stop: CancellationToken) {
    let agents = &platform.agents;
    let config = match fleet::server_config(agents.authority.certificate(), Arc::clone(&agents.server)) {
        Ok(config) => config,
        Err(error) => {
            warn!(error = format!("{error:#}"), "hosts cannot be answered");
            return stop.cancelled().await;
        }
    };
    let service = routes(Arc::clone(&platform));
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
    let caller = Caller { from: call.from.to_canonical(), bearer: call.bearer };
    let service = TowerToHyperService::new(service.layer(Extension(caller)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(SILENT);
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

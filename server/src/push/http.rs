//! The three addresses of git's smart HTTP protocol (gitprotocol-http(5)). The crate `git` does the wire; what a push does
//! is decided in `deploy`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{Stream, StreamExt as _};
use git::{Repository, Request, ServeLimits, Service};
use model::access::Scope;
use serde::Deserialize;
use store::App;

use super::access::{Refused, admit};
use super::deploy;
use crate::actor::Actor;
use crate::disk::Room;
use crate::platform::Platform;

/// How long a client may send nothing.
const IDLE: Duration = Duration::from_secs(120);

/// How long git may take for a clone, and for a push until its objects are here.
const TOTAL: Duration = Duration::from_secs(3_600);

/// Returns the routes of git; they are merged with those of the API.
pub fn routes() -> Router<Arc<Platform>> {
    Router::new()
        .route("/{repository}/info/refs", get(advertise))
        .route("/{repository}/git-upload-pack", post(upload_pack))
        .route("/{repository}/git-receive-pack", post(receive_pack))
        // The body streams through; git and the push limit bound it.
        .layer(DefaultBodyLimit::disable())
}

#[derive(Deserialize)]
struct Advertised {
    service: Option<String>,
}

async fn advertise(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<Advertised>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let service = query.service.as_deref().and_then(Service::parse).ok_or(Refused::OldProtocol)?;
    let (_, _, repository) = open(&platform, &name, service, (&headers, remote)).await?;
    let body = git::advertise(&repository, service, text(&headers, "git-protocol")).await?;
    Ok(reply(format!("application/x-{}-advertisement", service.name()), Body::from(body)))
}

async fn upload_pack(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let service = Service::UploadPack;
    let (_, actor, repository) = open(&platform, &name, service, (&headers, remote)).await?;
    let turn = platform.fetches.turn(actor.user).await.ok_or(Refused::Busy)?;
    let answer = git::serve(&repository, request(&headers, body), limits(&platform));
    // Git ends when nobody takes its answer any more, and the turn with it.
    let answer = answer.map_err(anyhow::Error::from)?.map(move |piece| {
        let _held = &turn;
        piece
    });
    Ok(result(service, answer))
}

async fn receive_pack(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let service = Service::ReceivePack;
    let (app, actor, repository) = open(&platform, &name, service, (&headers, remote)).await?;
    let (answer, push) = git::receive(&repository, request(&headers, body), limits(&platform));
    tokio::spawn(async move {
        if let Ok((request, reply)) = push.await {
            deploy::receive(deploy::Push { platform, app, actor, repository }, request, reply).await;
        }
    });
    Ok(result(service, answer))
}

fn limits(platform: &Platform) -> ServeLimits {
    let options = &platform.options;
    // A push begins above the reserve and may take up to half of it, as a build may.
    let reserve_bytes = options.reserve_bytes / 2;
    ServeLimits { body_bytes: options.push_bytes, reserve_bytes, idle: IDLE, total: TOTAL }
}

/// Finds who asks for which repository, and refuses before a byte is stored what could not be kept.
async fn open(
    platform: &Platform,
    name: &str,
    service: Service,
    (headers, remote): (&HeaderMap, SocketAddr),
) -> Result<(App, Actor, Repository), Refused> {
    let scope = if service == Service::ReceivePack { Scope::Write } else { Scope::Read };
    let (app, actor) = admit(platform, name, scope, (headers, remote)).await?;
    if service == Service::ReceivePack {
        let room = Room::at(&platform.options.data_dir).map_err(anyhow::Error::from)?;
        if let Some(why) = room.refusal(platform.options.reserve_bytes) {
            return Err(Refused::NoRoom(why));
        }
    }
    let repositories = platform.repositories.clone();
    let id = app.id.to_string();
    let branch = app.settings.deploy_branch.as_ref().map_or("main", |branch| branch.as_str()).to_owned();
    let repository = tokio::task::spawn_blocking(move || {
        let repository = repositories.repository(&id)?;
        if repository.exists() { Ok(repository) } else { repositories.create(&id, &branch) }
    });
    let repository = repository.await.map_err(anyhow::Error::from)??;
    Ok((app, actor, repository))
}

fn request(headers: &HeaderMap, body: Body) -> Request<axum::body::BodyDataStream> {
    Request {
        git_protocol: text(headers, "git-protocol").map(ToOwned::to_owned),
        gzip: text(headers, "content-encoding") == Some("gzip"),
        body: body.into_data_stream(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn result(service: Service, answer: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    reply(format!("application/x-{}-result", service.name()), Body::from_stream(answer))
}

fn reply(content_type: String, body: Body) -> Response {
    let no_cache = (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate".to_owned());
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type), no_cache], body).into_response()
}

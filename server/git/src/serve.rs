//! Runs one git process for one request: the request's body goes in, the answer streams out, and whatever happens
//! the process ends within its bounds. What a push means is decided in the hook, not here.

use std::error::Error;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::hook::HookEnv;
use crate::process::Group;
use crate::{Reply, Repository, Service};

pub use conduct::ServeLimits;

mod conduct;

/// Chunks between git and the client; with `conduct`'s chunk size this bounds the memory of one request.
const CHUNKS_AHEAD: usize = 8;

/// A `POST` to one of the services.
pub struct Request<B> {
    /// The `Git-Protocol` header.
    pub git_protocol: Option<String>,
    /// Whether `Content-Encoding` is `gzip`.
    pub gzip: bool,
    /// The body.
    pub body: B,
}

/// Starts git for a request and returns its answer as a stream; with `hook`, pushes ask the server (without it they are
/// refused). Must be called within a tokio runtime. Dropping the reply ends git.
pub fn serve<B, E>(
    repository: &Repository,
    service: Service,
    request: Request<B>,
    limits: ServeLimits,
    hook: Option<&HookEnv>,
) -> io::Result<Reply>
where
    B: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let mut command = command(repository, service, &request, &limits);
    if let Some(hook) = hook {
        hook.apply(&mut command);
    }
    let visit = (service == Service::ReceivePack).then(|| repository.visit()).transpose()?;
    let group = Group::spawn(&mut command)?;
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let ended = CancellationToken::new();
    let mut body = Body::new(request.body, request.gzip, limits.body_bytes, limits.idle);
    let guard = ended.clone().drop_guard();
    tokio::spawn(async move {
        conduct::conduct(service, group, &mut body, &limits, &sender).await;
        let _ = tokio::task::spawn_blocking(move || drop(visit)).await;
        drop(guard);
        conduct::discard(&mut body, &sender).await;
    });
    Ok(Reply { chunks, ended })
}

fn command<B>(
    repository: &Repository,
    service: Service,
    request: &Request<B>,
    limits: &ServeLimits,
) -> Command {
    let mut command = service.command(repository, request.git_protocol.as_deref());
    command.arg("-c").arg(format!("receive.maxInputSize={}", limits.body_bytes));
    command.args([service.subcommand(), "--stateless-rpc", "."]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { body_bytes: 1 << 30, idle: Duration::from_secs(120), total: Duration::from_secs(3600) }
    }
}

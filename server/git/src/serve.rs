//! Runs one git process for one request of a clone or a fetch: the request's body goes in, the answer streams out, and
//! whatever happens the process ends within its bounds. Pushes have their own way, see `push`.

use std::error::Error;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

use crate::body::Body;
use crate::process::Group;
use crate::{Reply, Repository, Service};

pub(crate) use conduct::discard;

mod conduct;

/// Chunks between git and the client; with `conduct`'s chunk size this bounds the memory of one request.
const CHUNKS_AHEAD: usize = 8;

/// Bounds of one request.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// Of the body, unpacked, in bytes: in effect the size of a pushed pack.
    pub body_bytes: u64,
    /// Bytes that a push leaves free on the disk.
    pub reserve_bytes: u64,
    /// How long a client may send nothing while its body is not complete.
    pub idle: Duration,
    /// From start to end of git's part; a push's build and rollout do not count.
    pub total: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 30,
            reserve_bytes: 0,
            idle: Duration::from_secs(120),
            total: Duration::from_secs(3600),
        }
    }
}

/// A `POST` to one of the services.
pub struct Request<B> {
    /// The `Git-Protocol` header.
    pub git_protocol: Option<String>,
    /// Whether `Content-Encoding` is `gzip`.
    pub gzip: bool,
    /// The body.
    pub body: B,
}

/// Starts `git upload-pack` for a request and returns its answer as a stream. Must be called within a tokio runtime.
/// Dropping the reply ends git.
pub fn serve<B, E>(repository: &Repository, request: Request<B>, limits: ServeLimits) -> io::Result<Reply>
where
    B: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let service = Service::UploadPack;
    let mut command = service.command(repository, request.git_protocol.as_deref());
    command.args([service.subcommand(), "--stateless-rpc", "."]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let group = Group::spawn(&mut command)?;
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let mut body = Body::new(request.body, request.gzip, limits.body_bytes, limits.idle);
    tokio::spawn(async move {
        conduct::conduct(group, &mut body, &limits, &sender).await;
        discard(&mut body, &sender).await;
    });
    Ok(Reply { chunks })
}

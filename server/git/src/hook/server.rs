//! The server's end of the hook: a unix socket that only the server's user may use, and the pushes that are expected
//! there. Hands each request to the session that announced it; what is answered is the caller's.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::session::{FRAMES_AHEAD, HookEnv, PushReply, Session};
use super::{PushRequest, frame, request, socket};

/// Conversations at once; more wait to be accepted.
const AT_ONCE: usize = 1024;
/// How long a hook may take to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(30);

type Request = oneshot::Sender<(PushRequest, PushReply)>;

/// The sessions whose hook has not come yet.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<String, Request>>);

impl Waiting {
    fn expect(&self, session: &str, request: Request) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.to_owned(), request);
    }

    pub(super) fn forget(&self, session: &str) -> Option<Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session)
    }
}

/// Listens for hooks until it is dropped.
pub struct HookServer {
    socket: std::path::PathBuf,
    program: std::path::PathBuf,
    waiting: Arc<Waiting>,
    _stop: DropGuard,
}

impl HookServer {
    /// Listens at `socket` (mode 0600; what a dead server left there is removed); `program` is run as `program hook` by
    /// git and must call `run_client`. Both paths must be absolute. Must be called within a tokio runtime.
    pub fn start(socket: &Path, program: &Path) -> anyhow::Result<Self> {
        let listener = listen(socket).with_context(|| format!("could not listen at {}", socket.display()))?;
        let waiting = Arc::<Waiting>::default();
        let stop = CancellationToken::new();
        let accepting = accept(listener, waiting.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        let (socket, program) = (socket.to_owned(), program.to_owned());
        Ok(Self { socket, program, waiting, _stop: stop.drop_guard() })
    }

    /// Announces a push. Its secret is good for one hook.
    pub fn open(&self) -> anyhow::Result<Session> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let (sender, request) = oneshot::channel();
        let session = hex::encode(secret);
        self.waiting.expect(&session, sender);
        let env = HookEnv { program: self.program.clone(), socket: self.socket.clone(), session };
        Ok(Session { env, request, waiting: self.waiting.clone() })
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let reach = socket::reach(path)?;
    let listener = UnixListener::bind(&reach.path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, waiting: Arc<Waiting>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let hook = match listener.accept().await {
            Ok((hook, _)) => hook,
            Err(error) => {
                tracing::warn!(%error, "could not accept a hook");
                // Out of descriptors: others must give some back first.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let waiting = waiting.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(hook, &waiting).await {
                tracing::info!(error = format!("{error:#}"), "a hook was turned away");
            }
            drop(place);
        });
    }
}

async fn converse(mut hook: UnixStream, waiting: &Waiting) -> anyhow::Result<()> {
    let payload =
        tokio::time::timeout(REQUEST_TIME, read_request(&mut hook)).await.context("it said nothing")??;
    let (session, push) = request::unpack(&payload).context("its request is garbled")?;
    let announced = waiting.forget(&session).context("nobody announced this push")?;
    let (sender, frames) = mpsc::channel(FRAMES_AHEAD);
    if announced.send((push, PushReply::new(sender))).is_err() {
        bail!("nobody waits for this push any more");
    }
    carry(hook, frames).await;
    Ok(())
}

async fn read_request(hook: &mut UnixStream) -> anyhow::Result<Vec<u8>> {
    let mut header = [0; frame::HEADER];
    hook.read_exact(&mut header).await?;
    let Some((frame::Kind::Request, length)) = frame::decode_header(header) else { bail!("not a request") };
    let mut payload = vec![0; length];
    hook.read_exact(&mut payload).await?;
    Ok(payload)
}

/// Ends, and with it the caller's `PushReply` learns, as soon as the hook hangs up.
async fn carry(hook: UnixStream, mut frames: mpsc::Receiver<Vec<u8>>) {
    let (mut from_hook, mut to_hook) = hook.into_split();
    let writing = async {
        while let Some(frame) = frames.recv().await {
            if to_hook.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    let mut nothing = [0];
    tokio::select! {
        () = writing => (),
        // The hook says nothing after its request: whatever can be read is its end.
        _ = from_hook.read(&mut nothing) => (),
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Kind;
    use super::*;

    async fn call(server: &HookServer, session: &str) -> UnixStream {
        let mut hook = UnixStream::connect(&server.socket).await.unwrap();
        let payload = request::pack(session.as_bytes(), &[], b"");
        hook.write_all(&frame::encode(Kind::Request, &payload)).await.unwrap();
        hook
    }

    #[tokio::test]
    async fn a_hook_reaches_its_session_once_and_only_with_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        fs::create_dir(&long).unwrap();
        for socket in [dir.path().join("hook.sock"), long.join("hook.sock")] {
            let server = HookServer::start(&socket, Path::new("/bin/false")).unwrap();
            assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
            if socket.starts_with(&long) {
                continue;
            }
            let mut session = server.open().unwrap();
            let secret = session.env.session.clone();

            let mut answer = Vec::new();
            call(&server, "guessed").await.read_to_end(&mut answer).await.unwrap();
            assert!(answer.is_empty(), "a stranger hears nothing");

            let mut hook = call(&server, &secret).await;
            let (push, reply) = session.request(&CancellationToken::new()).await.unwrap();
            assert_eq!(push.updates, Ok(vec![]));
            reply.say(b"hi\n");
            assert!(reply.finish(1).await);
            hook.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, [frame::encode(Kind::Say, b"hi\n"), frame::encode(Kind::Exit, &[1])].concat());

            answer.clear();
            call(&server, &secret).await.read_to_end(&mut answer).await.unwrap();
            assert!(answer.is_empty(), "the secret was good for one hook");
        }
    }

    #[tokio::test]
    async fn a_hook_that_hangs_up_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let server = HookServer::start(&dir.path().join("hook.sock"), Path::new("/bin/false")).unwrap();
        let mut session = server.open().unwrap();
        let secret = session.env.session.clone();
        let hook = call(&server, &secret).await;
        let (_, reply) = session.request(&CancellationToken::new()).await.unwrap();
        assert!(reply.is_attached());
        drop(hook);
        tokio::time::timeout(Duration::from_secs(10), reply.gone()).await.unwrap();
        assert!(!reply.is_attached());
    }
}

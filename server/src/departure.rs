//! How a server leaves. Its router answers what it was asked; connections that come meanwhile are served by a second
//! one that gives each a single answer, until a successor accepts or there is nothing left to wait for. From then on
//! connections wait in the kernel's queue, where the keeper of the sockets holds it open.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use router::{Listen, ProbeSecret, Router, RouterHandle, RouterOptions, Routes};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::data_dir::DataDir;
use crate::{listeners, predecessor};

/// How long visitors' requests may finish when the server is told to stop, and then those that came meanwhile.
const FINISH: Duration = Duration::from_secs(10);

/// How often it is looked whether a successor serves; nothing tells.
const LOOK: Duration = Duration::from_millis(10);

/// The router of a server that leaves, on a thread of its own: what else there was of the server may end meanwhile.
pub(crate) struct Departure {
    thread: JoinHandle<()>,
    alone: oneshot::Sender<()>,
}

/// What serves visitors.
pub(crate) struct Serving {
    pub(crate) router: RouterHandle,
    pub(crate) routes: Arc<ArcSwap<Routes>>,
    pub(crate) secret: ProbeSecret,
    pub(crate) run_dir: PathBuf,
    /// Cancelled when a successor is there and waits for the data directory.
    pub(crate) coming: CancellationToken,
}

impl Departure {
    /// Begins to leave.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn begin(serving: Serving) -> anyhow::Result<Self> {
        // Before the successor has the data directory and looks.
        let held = predecessor::hold(&serving.run_dir);
        let (alone, rest_has_ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("departure".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(leave(serving, rest_has_ended));
            drop(held);
        });
        Ok(Self { thread: thread.context("cannot leave in order")?, alone })
    }

    /// Waits for the end; nothing but the router is left of the server.
    pub(crate) fn finish(self) {
        // Who does not listen any more has ended already.
        let _ = self.alone.send(());
        if self.thread.join().is_err() {
            warn!("the router did not end in order");
        }
    }
}

async fn leave(serving: Serving, rest_has_ended: oneshot::Receiver<()>) {
    // As long as one is on the line, the keeper knows that it is not alone.
    let _line = listeners::stay(&serving.run_dir);
    let last = match last_router(&serving) {
        Ok(last) => Some(last),
        Err(error) => {
            warn!("visitors who come from now on wait for the next server: {error:#}");
            None
        }
    };
    let (drained, is_drained) = oneshot::channel();
    let drain = async {
        serving.router.shutdown(FINISH).await;
        info!("visitors have their answers");
        // Nobody waits when a successor serves.
        let _ = drained.send(());
    };
    let accept = async {
        tokio::select! {
            () = taken_over(&serving.run_dir) => info!("another server has taken over"),
            _ = async { (is_drained.await, rest_has_ended.await) }, if !serving.coming.is_cancelled() => {}
            () = tokio::time::sleep(FINISH) => {}
        }
        if let Some(last) = last {
            last.shutdown(FINISH).await;
        }
    };
    tokio::join!(drain, accept);
}

async fn taken_over(run_dir: &Path) {
    while !DataDir::is_taken_over(run_dir) {
        tokio::time::sleep(LOOK).await;
    }
}

fn last_router(serving: &Serving) -> anyhow::Result<RouterHandle> {
    let sockets = serving.router.sockets().iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
    let mut options = RouterOptions::new(serving.router.local_addr(), serving.secret.clone());
    options.listen = Listen::Sockets(sockets);
    options.tls = serving.router.tls()?;
    options.trusted = serving.router.trusted().to_vec();
    options.parting = true;
    Ok(Router::start(options, serving.routes.clone())?)
}

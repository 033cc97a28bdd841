//! Finds out whether a replica that took no connections takes them again. No visitor's request is spent on that.

use crate::backend::Backend;
use crate::standing::{KNOCK, pause};
use crate::worker::Worker;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Tries again and again until `backend` takes a connection or has left the table.
pub(crate) async fn knock(worker: Rc<Worker>, backend: Arc<Backend>) {
    for attempts in 0.. {
        sleep(pause(attempts)).await;
        if !worker.routes.load().has(backend.serial()) {
            // If it comes to another table, it begins anew.
            let _ = backend.judge(Ok(()));
            return;
        }
        let attempt = match timeout(KNOCK, attempt(&backend)).await {
            Ok(attempt) => attempt.map_err(|error| error.kind()),
            Err(_) => Err(io::ErrorKind::TimedOut),
        };
        if backend.judge(attempt).is_some() {
            tracing::info!(replica = backend.replica(), "{} takes connections again", backend.name());
        }
        if !backend.is_out() {
            return;
        }
    }
}

async fn attempt(backend: &Backend) -> io::Result<()> {
    let stream = TcpStream::connect(backend.address()).await?;
    if let Some(way_in) = backend.way_in() {
        way_in.enter(stream, KNOCK).await?;
    }
    Ok(())
}

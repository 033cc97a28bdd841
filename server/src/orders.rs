//! What a server is told by signals: to end, or to make place for the one that takes over.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals, from when it was begun to listen for them. Until then each of them ends the process at once.
pub(crate) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    make_place: Signal,
}

impl Orders {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            make_place: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits until one comes, or has come since; `coming` is cancelled if a successor waits.
    pub(crate) async fn told(&mut self, coming: &CancellationToken) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.make_place.recv() => coming.cancel(),
        }
    }
}

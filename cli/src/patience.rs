//! Says that we wait when the server takes its time: while it is restarted, connections wait in a queue on its side
//! and nobody answers.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::address::Address;

/// How long an answer may take before we say something.
const SILENT: Duration = Duration::from_secs(2);

/// A wait for an answer; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Patience {
    _answered: Sender<()>,
}

impl Patience {
    /// Begins to wait for an answer of the server.
    pub(crate) fn with(server: &Address) -> Self {
        let (sender, answered) = mpsc::channel::<()>();
        let text = format!("Waiting for the server at {server}; it may be restarting.");
        // Without a thread we wait in silence, no more.
        let _ = thread::Builder::new().name("patience".to_owned()).spawn(move || {
            if answered.recv_timeout(SILENT) == Err(RecvTimeoutError::Timeout) {
                let _ = writeln!(io::stderr().lock(), "{text}");
            }
        });
        Self { _answered: sender }
    }
}

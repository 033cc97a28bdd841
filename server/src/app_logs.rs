//! The apps' log streams as the server uses them: platform events and request lines go in, readers come out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use logs::{Bounds, Letterbox, LogDir, Origin, Outbox, Source};
use model::id::AppId;
use model::release::Version;
use router::{RequestLine, RequestLog};

use crate::metrics::Counters;

/// Opens streams and appends to them without waiting.
#[derive(Clone)]
pub struct AppLogs {
    root: PathBuf,
    outbox: Outbox,
}

impl AppLogs {
    /// Starts the thread that writes below `root`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(root: PathBuf) -> std::io::Result<Self> {
        let outbox = Outbox::start(root.clone(), Bounds::default())?;
        Ok(Self { root, outbox })
    }

    /// Opens an app's stream, made if it is not there. Blocks shortly.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(&self, app: AppId) -> std::io::Result<LogDir> {
        LogDir::open(self.root.join(app.to_string()), Bounds::default())
    }

    /// Returns those of the apps that have no stream. Blocks shortly.
    #[must_use]
    pub fn lack(&self, mut apps: BTreeSet<AppId>) -> BTreeSet<AppId> {
        apps.retain(|app| !self.root.join(app.to_string()).is_dir());
        apps
    }

    /// Returns the apps that have a stream, without opening any. Blocks shortly.
    ///
    /// # Errors
    /// The directory of all streams cannot be read.
    pub fn present(&self) -> std::io::Result<BTreeSet<AppId>> {
        let entries = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// Appends an event of the platform to an app's stream.
    pub fn event(&self, app: AppId, process: &str, release: Option<Version>, text: impl Into<String>) {
        let origin = Origin::new(Source::Platform, process, release.map(|version| version.0));
        self.outbox.letterbox(app.to_string().into(), Arc::new(origin)).append(text.into());
    }

    /// Returns what takes the request lines of an app, and counts them.
    #[must_use]
    pub fn requests(&self, app: AppId, counters: Arc<Counters>) -> Arc<dyn RequestLog> {
        let origin = Arc::new(Origin::new(Source::Router, "router", None));
        let log = self.outbox.letterbox(app.to_string().into(), origin);
        Arc::new(RequestLines { log, counters })
    }

    /// Deletes what is too old in all streams: apps that write little do not do it themselves. Blocks on the disk.
    pub fn expire(&self) {
        let now = jiff::Timestamp::now();
        for entry in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let expired = LogDir::open(entry.path(), Bounds::default()).and_then(|log| log.expire(now));
            if let Err(error) = expired {
                tracing::warn!(%error, log = %entry.path().display(), "cannot delete old lines of a log");
            }
        }
    }

    /// Waits until what was appended is written, at most two seconds.
    pub fn flush(&self) {
        self.outbox.flush(std::time::Duration::from_secs(2));
    }
}

struct RequestLines {
    log: Letterbox,
    counters: Arc<Counters>,
}

impl RequestLog for RequestLines {
    fn request(&self, line: RequestLine) {
        self.counters.count(&line);
        self.log.append(line.to_string());
    }
}

//! Writes what the platform has to say about a replica into its app's log.

use std::collections::HashMap;
use std::path::PathBuf;

use logs::{Bounds, LogDir, Origin, Source, Writer};
use model::id::AppId;
use model::replica::ReplicaSpec;

/// Most logs that are kept open.
const OPEN: usize = 256;

/// The logs of all apps of this host.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    writers: HashMap<AppId, Writer>,
}

impl Journal {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, writers: HashMap::new() }
    }

    /// Appends a line about a replica.
    pub(crate) fn say(&mut self, spec: &ReplicaSpec, line: &str) {
        if self.writers.len() >= OPEN && !self.writers.contains_key(&spec.app) {
            self.writers.clear();
        }
        let writer = match self.writers.get(&spec.app) {
            Some(writer) => writer,
            None => match LogDir::open(self.dir.join(spec.app.to_string()), Bounds::default()) {
                Ok(log) => self.writers.entry(spec.app).or_insert_with(|| log.writer()),
                Err(error) => {
                    tracing::warn!(%error, app = %spec.app_name, "cannot open the log of an app");
                    return;
                }
            },
        };
        writer.append(&Origin::new(Source::Platform, &spec.name(), Some(spec.release.0)), line);
    }
}

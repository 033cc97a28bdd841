//! A writer of one app's stream: for those who have whole texts, not a pipe.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::appender::Appender;
use crate::lane::Lane;
use crate::record::Header;
use crate::{Bounds, Origin};

/// Appends to one app's stream; clones share the open files.
///
/// A write goes to the page cache and takes microseconds. What cannot be written is counted and announced
/// in the stream as soon as it can be.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<Appenders>>);

/// A hand for each lane that was written to.
pub(crate) struct Appenders {
    dir: PathBuf,
    bounds: Bounds,
    open: BTreeMap<Lane, Appender>,
}

impl Writer {
    pub(crate) fn new(dir: PathBuf, bounds: Bounds) -> Self {
        Writer(Arc::new(Mutex::new(Appenders { dir, bounds, open: BTreeMap::new() })))
    }

    /// Appends `text`, one line for each of its lines; an empty text is one empty line.
    pub fn append(&self, origin: &Origin, text: impl AsRef<[u8]>) {
        let mut lanes = self.lanes();
        let appender = lanes.of(origin);
        appender.begin(origin);
        let header = Header::of(origin, appender.now());
        appender.text(&header, text.as_ref());
        appender.commit();
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Appenders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appenders {
    /// Returns the hand that writes what comes from `origin`.
    pub(crate) fn of(&mut self, origin: &Origin) -> &mut Appender {
        let lane = Lane::of(origin);
        let new = || Appender::new(self.dir.clone(), self.bounds, lane);
        self.open.entry(lane).or_insert_with(new)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

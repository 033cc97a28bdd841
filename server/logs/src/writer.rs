//! A writer of one app's stream: for those who have whole texts, not a pipe.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Origin;
use crate::appender::Appender;

/// Appends to one app's stream; clones share one open file.
///
/// A write goes to the page cache and takes microseconds. What cannot be written is counted and announced
/// in the stream as soon as it can be.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<Appender>>);

impl Writer {
    pub(crate) fn new(appender: Appender) -> Self {
        Writer(Arc::new(Mutex::new(appender)))
    }

    /// Appends `text`, one line for each of its lines; an empty text is one empty line.
    pub fn append(&self, origin: &Origin, text: impl AsRef<[u8]>) {
        let mut appender = self.appender();
        appender.begin(origin);
        let header = origin.header(appender.now());
        appender.text(&header, text.as_ref());
        appender.commit();
    }

    pub(crate) fn appender(&self) -> MutexGuard<'_, Appender> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

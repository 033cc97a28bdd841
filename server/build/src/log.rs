//! The log of one build: a file that only grows, and a word to those who follow it.
//!
//! Config values are hidden before anything reaches the file. What a build writes is bounded: the beginning is kept,
//! and the latest lines before each thing that the platform itself says, which always finds room.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use model::config::ConfigVars;
use tokio::sync::watch;

use crate::bounds::Bounds;
use crate::mask::Masker;

/// Most bytes that the programs of a build may write.
const OUTPUT_MAX: u64 = 10 * 1024 * 1024;

/// The log of one running build. Clones write to the same log. Whoever opened it ends it: a release command may
/// write to it after the build itself.
#[derive(Debug, Clone)]
pub struct BuildLog {
    path: Arc<PathBuf>,
    writer: Arc<Mutex<Writer>>,
    progress: watch::Sender<Progress>,
}

/// How far a log has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    pub(crate) ended: bool,
}

#[derive(Debug)]
struct Writer {
    file: File,
    masker: Masker,
    bounds: Bounds,
    written: u64,
    mid_line: bool,
}

impl BuildLog {
    /// Opens the log for writing at its end, and makes it if it is missing.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(path: &Path, config: &ConfigVars) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        let writer = Writer {
            file,
            masker: Masker::new(config),
            bounds: Bounds::new(OUTPUT_MAX.saturating_sub(written)),
            written,
            mid_line: false,
        };
        let progress = watch::Sender::new(Progress { bytes: written, ended: false });
        Ok(Self { path: Arc::new(path.to_owned()), writer: Arc::new(Mutex::new(writer)), progress })
    }

    /// Writes the start of a step: `-----> TEXT`.
    pub fn step(&self, text: &str) {
        self.say(format!("-----> {text}\n").as_bytes());
    }

    /// Writes a line that belongs to the step before.
    pub fn detail(&self, text: &str) {
        self.say(format!("       {text}\n").as_bytes());
    }

    /// Writes a warning or an error: ` !     TEXT`.
    pub fn warn(&self, text: &str) {
        self.say(format!(" !     {text}\n").as_bytes());
    }

    /// Writes what a program of the build wrote.
    pub fn output(&self, bytes: &[u8]) {
        self.write(|writer| {
            let (mut masked, mut bounded) = (Vec::new(), Vec::new());
            writer.masker.push(bytes, &mut masked);
            writer.bounds.pass(&masked, &mut bounded);
            writer.append(&bounded)
        });
    }

    /// Ends the log: followers get the rest and then the end.
    pub fn end(&self) {
        self.write(Writer::finish_output);
        self.progress.send_modify(|progress| progress.ended = true);
    }

    /// Hides from now on the users and passwords in the URLs of these variables, beside the config values.
    pub(crate) fn hide_credentials(&self, environment: &BTreeMap<String, String>) {
        self.write(|writer| {
            writer.masker.hide_credentials(environment);
            Ok(())
        });
    }

    /// Returns a text as the log would show it.
    pub(crate) fn masked(&self, text: &str) -> String {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&writer.masker.whole(text.as_bytes())).into_owned()
    }

    /// Returns how many bytes the log has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.progress.borrow().bytes
    }

    /// Tells whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn say(&self, line: &[u8]) {
        self.write(|writer| {
            writer.finish_output()?;
            let masked = writer.masker.whole(line);
            writer.append(&masked)
        });
    }

    fn write(&self, write: impl FnOnce(&mut Writer) -> io::Result<()>) {
        // A panic while writing leaves at worst half a line.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write(&mut writer) {
            tracing::warn!(%error, path = %self.path.display(), "cannot write to the log of a build");
        }
        self.progress.send_modify(|progress| progress.bytes = writer.written);
    }
}

impl Writer {
    /// Lets out what was held back, and ends a line that a program left open.
    fn finish_output(&mut self) -> io::Result<()> {
        let (mut masked, mut bounded) = (Vec::new(), Vec::new());
        self.masker.finish(&mut masked);
        self.bounds.pass(&masked, &mut bounded);
        self.bounds.finish(&mut bounded);
        self.append(&bounded)?;
        if self.mid_line { self.append(b"\n") } else { Ok(()) }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        self.mid_line = *last != b'\n';
        Ok(())
    }
}

//! Lines of many apps from threads that must not wait: the router and the server's own events.
//!
//! A queue with a bound and one thread behind it, which gathers for two milliseconds and then writes each
//! app's lines at once. What does not fit the queue, or the app's share of it, is counted for its app and
//! announced there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::appender::Appender;
use crate::dropped::Cause;
use crate::lane::Lane;
use crate::record::Header;
use crate::{Bounds, Origin};

/// Lines that may wait.
const QUEUE: usize = 32_768;
/// Bytes that may wait, of all apps.
const QUEUE_BYTES: usize = 32 << 20;
/// Bytes that may wait in one letterbox.
const SHARE_BYTES: usize = 4 << 20;
/// What a waiting line takes beside its text, about.
const LETTER_BYTES: usize = 128;
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(2);
/// How often counted lines are announced when no others come.
const PERIOD: Duration = Duration::from_secs(1);
/// Lanes whose segment stays open between two rounds.
const MOST_OPEN: usize = 64;

type Counts = Arc<Mutex<HashMap<(Arc<str>, Lane), (Arc<Origin>, u64)>>>;

/// Takes lines of any app without ever waiting; clones share the queue and its thread.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: SyncSender<Letter>,
    waiting: Arc<AtomicUsize>,
    refused: Counts,
}

/// One app's way into an [`Outbox`]. However full it is, there is room for the others.
#[derive(Debug, Clone)]
pub struct Letterbox {
    outbox: Outbox,
    app: Arc<str>,
    origin: Arc<Origin>,
    waiting: Arc<AtomicUsize>,
}

enum Letter {
    Text { from: Letterbox, at: Timestamp, text: String },
    Flush(SyncSender<()>),
}

impl Outbox {
    /// Starts the thread that writes below `logs`, the folder with a folder per app.
    ///
    /// It creates no app's folder: [`crate::LogDir::open`] does, and an app that was destroyed stays so.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub fn start(logs: impl Into<PathBuf>, bounds: Bounds) -> io::Result<Outbox> {
        let (queue, letters) = sync_channel(QUEUE);
        let refused = Counts::default();
        let post =
            Post { logs: logs.into(), bounds, refused: Arc::clone(&refused), appenders: HashMap::new() };
        thread::Builder::new().name("log-outbox".to_owned()).spawn(move || post.run(&letters))?;
        Ok(Outbox { queue, waiting: Arc::default(), refused })
    }

    /// Returns a way in for lines from `origin` to the stream in folder `app`.
    #[must_use]
    pub fn letterbox(&self, app: Arc<str>, origin: Arc<Origin>) -> Letterbox {
        Letterbox { outbox: self.clone(), app, origin, waiting: Arc::default() }
    }

    /// Waits until all lines appended so far are written; returns whether they were in time.
    pub fn flush(&self, within: Duration) -> bool {
        let (written, done) = sync_channel(1);
        self.queue.send(Letter::Flush(written)).is_ok() && done.recv_timeout(within).is_ok()
    }
}

impl Letterbox {
    /// Appends `text` with the time of now.
    pub fn append(&self, text: String) {
        let size = text.len() + LETTER_BYTES;
        let fits = self.waiting.fetch_add(size, Ordering::Relaxed) + size <= SHARE_BYTES
            && self.outbox.waiting.load(Ordering::Relaxed) + size <= QUEUE_BYTES;
        self.outbox.waiting.fetch_add(size, Ordering::Relaxed);
        let lines = text.lines().count().max(1) as u64;
        let letter = Letter::Text { from: self.clone(), at: Timestamp::now(), text };
        if !fits || self.outbox.queue.try_send(letter).is_err() {
            self.taken(size);
            let mut refused = self.outbox.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (Arc::clone(&self.app), Lane::of(&self.origin));
            refused.entry(key).or_insert_with(|| (Arc::clone(&self.origin), 0)).1 += lines;
        }
    }

    fn taken(&self, size: usize) {
        self.waiting.fetch_sub(size, Ordering::Relaxed);
        self.outbox.waiting.fetch_sub(size, Ordering::Relaxed);
    }
}

/// The thread's side.
struct Post {
    logs: PathBuf,
    bounds: Bounds,
    refused: Counts,
    appenders: HashMap<(Arc<str>, Lane), Appender>,
}

type Touched = HashSet<(Arc<str>, Lane)>;

impl Post {
    fn run(mut self, letters: &Receiver<Letter>) {
        loop {
            let first = match letters.recv_timeout(PERIOD) {
                Ok(letter) => Some(letter),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.round(None, letters),
            };
            if first.is_some() {
                thread::sleep(GATHER);
            }
            self.round(first, letters);
        }
    }

    /// Writes what is in the queue now.
    fn round(&mut self, first: Option<Letter>, letters: &Receiver<Letter>) {
        let mut touched = Touched::new();
        let mut flushed = Vec::new();
        for letter in first.into_iter().chain(letters.try_iter()).take(QUEUE) {
            match letter {
                Letter::Text { from, at, text } => {
                    from.taken(text.len() + LETTER_BYTES);
                    self.write(&from, at, &text, &mut touched);
                }
                Letter::Flush(written) => flushed.push(written),
            }
        }
        self.announce_refused(&mut touched);
        for key in &touched {
            self.appender(key).commit();
        }
        if self.appenders.len() > MOST_OPEN {
            self.appenders.retain(|key, _| touched.contains(key));
        }
        for written in flushed {
            // Nobody may wait any more.
            let _ = written.send(());
        }
    }

    fn write(&mut self, from: &Letterbox, at: Timestamp, text: &str, touched: &mut Touched) {
        let key = (Arc::clone(&from.app), Lane::of(&from.origin));
        let appender = self.appender(&key);
        if touched.insert(key) {
            appender.begin(&from.origin);
        }
        appender.text(&Header::of(&from.origin, at), text.as_bytes());
    }

    fn announce_refused(&mut self, touched: &mut Touched) {
        let refused = std::mem::take(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, (origin, count)) in refused {
            let appender = self.appender(&key);
            appender.commit();
            appender.drop_lines(Cause::QueueFull, count);
            appender.begin(&origin);
            touched.insert(key);
        }
    }

    fn appender(&mut self, key: &(Arc<str>, Lane)) -> &mut Appender {
        let new = || Appender::new(self.logs.join(&*key.0), self.bounds, key.1);
        self.appenders.entry(key.clone()).or_insert_with(new)
    }
}

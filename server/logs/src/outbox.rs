//! Lines of many apps from threads that must not wait: the router and the server's own events.
//!
//! A queue with a bound and one thread behind it, which gathers for two milliseconds and then writes each
//! app's lines at once. What does not fit the queue is counted for its app and announced there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::appender::Appender;
use crate::{Bounds, Origin};

/// Lines that may wait.
const QUEUE: usize = 32_768;
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(2);
/// How often counted lines are announced when no others come.
const PERIOD: Duration = Duration::from_secs(1);
/// Apps whose segment stays open between two rounds.
const MOST_OPEN: usize = 64;

type Counts = Arc<Mutex<HashMap<Arc<str>, (Arc<Origin>, u64)>>>;

/// Takes lines of any app without ever waiting; clones share the queue and its thread.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: SyncSender<Letter>,
    refused: Counts,
}

enum Letter {
    Text { app: Arc<str>, origin: Arc<Origin>, at: Timestamp, text: String },
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
        Ok(Outbox { queue, refused })
    }

    /// Appends `text` to the stream in folder `app`, with the time of now.
    pub fn append(&self, app: &Arc<str>, origin: &Arc<Origin>, text: String) {
        let (app, origin) = (Arc::clone(app), Arc::clone(origin));
        let letter = Letter::Text { app, origin, at: Timestamp::now(), text };
        if let Err(error) = self.queue.try_send(letter)
            && let std::sync::mpsc::TrySendError::Full(Letter::Text { app, origin, .. }) = error
        {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.entry(app).or_insert((origin, 0)).1 += 1;
        }
    }

    /// Waits until all lines appended so far are written; returns whether they were in time.
    pub fn flush(&self, within: Duration) -> bool {
        let (written, done) = sync_channel(1);
        self.queue.send(Letter::Flush(written)).is_ok() && done.recv_timeout(within).is_ok()
    }
}

/// The thread's side.
struct Post {
    logs: PathBuf,
    bounds: Bounds,
    refused: Counts,
    appenders: HashMap<Arc<str>, Appender>,
}

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
        let mut touched = HashSet::new();
        let mut flushed = Vec::new();
        for letter in first.into_iter().chain(letters.try_iter()).take(QUEUE) {
            match letter {
                Letter::Text { app, origin, at, text } => {
                    let appender = self.appender(&app);
                    if touched.insert(app) {
                        appender.begin(&origin);
                    }
                    appender.text(&origin.header(at), text.as_bytes());
                }
                Letter::Flush(written) => flushed.push(written),
            }
        }
        self.announce_refused(&mut touched);
        for app in &touched {
            self.appender(app).commit();
        }
        if self.appenders.len() > MOST_OPEN {
            self.appenders.retain(|app, _| touched.contains(app));
        }
        for written in flushed {
            // Nobody may wait any more.
            let _ = written.send(());
        }
    }

    fn announce_refused(&mut self, touched: &mut HashSet<Arc<str>>) {
        let refused = std::mem::take(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner));
        for (app, (origin, count)) in refused {
            let appender = self.appender(&app);
            appender.commit();
            appender.dropped.queue_full += count;
            appender.begin(&origin);
            touched.insert(app);
        }
    }

    fn appender(&mut self, app: &Arc<str>) -> &mut Appender {
        let new = || Appender::new(self.logs.join(&**app), self.bounds);
        self.appenders.entry(Arc::clone(app)).or_insert_with(new)
    }
}

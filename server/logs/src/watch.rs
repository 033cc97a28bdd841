//! Tells readers that a folder changed, through inotify; one instance for the whole process, because a user
//! has few of them. Where there is none left, readers look once a second.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::sync::watch;

/// Changes within this time are told as one, so that a busy writer wakes its readers at most so often.
const PAUSE: Duration = Duration::from_millis(2);
/// How long a reader waits at most, in case an event was lost.
const PERIOD: Duration = Duration::from_secs(1);

static INOTIFY: LazyLock<Option<Arc<Inotify>>> = LazyLock::new(|| match Inotify::start() {
    Ok(inotify) => Some(inotify),
    Err(error) => {
        tracing::warn!(%error, "no inotify: log tails look for new lines once a second");
        None
    }
});

/// Wakes one reader of one folder.
#[derive(Debug)]
pub(crate) struct Watch(Option<Watched>);

#[derive(Debug)]
struct Watched {
    inotify: Arc<Inotify>,
    descriptor: i32,
    changes: watch::Receiver<()>,
}

impl Watch {
    /// Begins to watch; changes from now on are not missed.
    pub(crate) fn on(dir: &Path) -> Watch {
        let watched = INOTIFY.as_ref().and_then(|inotify| match Inotify::add(inotify, dir) {
            Ok(watched) => Some(watched),
            Err(error) => {
                tracing::warn!(%error, dir = %dir.display(), "cannot watch the log for new lines");
                None
            }
        });
        Watch(watched)
    }

    /// Waits until something changed since the last call, or for a second.
    pub(crate) async fn changed(&mut self) {
        match &mut self.0 {
            Some(watched) => {
                let ended =
                    matches!(tokio::time::timeout(PERIOD, watched.changes.changed()).await, Ok(Err(_)));
                if ended {
                    self.0 = None;
                }
            }
            None => tokio::time::sleep(PERIOD).await,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut folders = self.inotify.folders();
        let is_last = folders.get(&self.descriptor).is_some_and(|sender| sender.receiver_count() == 1);
        if is_last {
            folders.remove(&self.descriptor);
            // Fails only if the folder, and the watch with it, is gone.
            let _ = inotify::remove_watch(&self.inotify.events, self.descriptor);
        }
    }
}

#[derive(Debug)]
struct Inotify {
    events: OwnedFd,
    folders: Mutex<HashMap<i32, watch::Sender<()>>>,
}

impl Inotify {
    fn start() -> std::io::Result<Arc<Inotify>> {
        let events = inotify::init(CreateFlags::CLOEXEC)?;
        let inotify = Arc::new(Inotify { events, folders: Mutex::default() });
        let listening = Arc::clone(&inotify);
        thread::Builder::new().name("log-watch".to_owned()).spawn(move || listening.listen())?;
        Ok(inotify)
    }

    fn add(inotify: &Arc<Inotify>, dir: &Path) -> std::io::Result<Watched> {
        // Held over both steps, so that no event comes between them.
        let mut folders = inotify.folders();
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE_SELF | WatchFlags::ONLYDIR;
        let descriptor = inotify::add_watch(&inotify.events, dir, flags)?;
        let changes = folders.entry(descriptor).or_insert_with(|| watch::channel(()).0).subscribe();
        drop(folders);
        Ok(Watched { inotify: Arc::clone(inotify), descriptor, changes })
    }

    fn listen(&self) {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => self.tell(event.wd(), event.events()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::warn!(%error, "inotify ended: log tails look for new lines once a second");
                    return self.folders().clear();
                }
            }
            if events.is_buffer_empty() {
                thread::sleep(PAUSE);
            }
        }
    }

    fn tell(&self, descriptor: i32, events: ReadFlags) {
        let mut folders = self.folders();
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            folders.values().for_each(|sender| sender.send_replace(()));
        } else if events.contains(ReadFlags::IGNORED) {
            folders.remove(&descriptor);
        } else if let Some(sender) = folders.get(&descriptor) {
            sender.send_replace(());
        }
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<i32, watch::Sender<()>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

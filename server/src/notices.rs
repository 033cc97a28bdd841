//! Which hosts are taken back by their cloud, or due for its maintenance, as they were told themselves. It is kept in memory: a host tells again
//! whenever it calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet::Notice;
use model::id::HostId;

/// What hosts were told.
#[derive(Debug, Default)]
pub struct Notices(Mutex<BTreeMap<HostId, Notice>>);

impl Notices {
    /// Takes note of what a host was told, and returns whether that is news.
    pub fn take(&self, host: HostId, notice: Notice) -> bool {
        let mut notices = self.lock();
        let is_news = notice.is_news_after(notices.get(&host).copied());
        if is_news {
            notices.insert(host, notice);
        }
        is_news
    }

    /// Returns what a host was told, if it was.
    #[must_use]
    pub fn of(&self, host: HostId) -> Option<Notice> {
        self.lock().get(&host).copied()
    }

    /// Returns what all hosts were told.
    #[must_use]
    pub fn all(&self) -> BTreeMap<HostId, Notice> {
        self.lock().clone()
    }

    /// Forgets a host that is no more.
    pub fn forget(&self, host: HostId) {
        self.lock().remove(&host);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, Notice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_notice_is_news_once_and_what_is_certain_stays() {
        let (notices, host) = (Notices::default(), HostId::new());
        let (perhaps, surely) = (Notice::recommendation(), Notice::interruption(Timestamp::UNIX_EPOCH));
        assert!(notices.take(host, perhaps) && !notices.take(host, perhaps));
        let planned = Notice::maintenance(None);
        let dated = Notice::maintenance(Some(Timestamp::UNIX_EPOCH));
        for new in [planned, dated, Notice::maintenance(Some(Timestamp::MAX))] {
            assert!(notices.take(host, new) && !notices.take(host, new) && !notices.take(host, perhaps));
        }
        let later = Notice::interruption(Timestamp::MAX);
        assert!(notices.take(host, surely) && !notices.take(host, perhaps) && !notices.take(host, later));
        assert_eq!((notices.of(host), notices.all().len()), (Some(surely), 1));
        notices.forget(host);
        assert_eq!((notices.of(host), notices.all().len()), (None, 0));
    }
}

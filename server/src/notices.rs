//! Which hosts are taken back by their cloud, or due for its maintenance, as they were told themselves. It is kept in memory:
//! a host tells again whenever it calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet::Told;
use model::id::HostId;

/// What hosts were told.
#[derive(Debug, Default)]
pub struct Notices(Mutex<BTreeMap<HostId, Told>>);

impl Notices {
    /// Takes note of what a host says that it was told, and returns whether that is news.
    pub fn take(&self, host: HostId, told: Told) -> bool {
        let mut notices = self.lock();
        let mut known = notices.get(&host).copied().unwrap_or_default();
        let is_news = known.take(told);
        if known.is_nothing() {
            notices.remove(&host);
        } else {
            notices.insert(host, known);
        }
        is_news
    }

    /// Returns what a host was told, if it was.
    #[must_use]
    pub fn of(&self, host: HostId) -> Option<Told> {
        self.lock().get(&host).copied()
    }

    /// Returns what all hosts were told.
    #[must_use]
    pub fn all(&self) -> BTreeMap<HostId, Told> {
        self.lock().clone()
    }

    /// Forgets a host that is no more.
    pub fn forget(&self, host: HostId) {
        self.lock().remove(&host);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fleet::{Maintenance, Notice};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_is_told_is_news_once_what_is_certain_stays_and_maintenance_may_be_called_off() {
        let (notices, host) = (Notices::default(), HostId::new());
        let notice = |ends_at| Told { notice: Some(Notice { ends_at }), maintenance: None };
        let planned = |begins_at| Told { notice: None, maintenance: Some(Maintenance { begins_at }) };
        let (perhaps, surely) = (notice(None), notice(Some(Timestamp::UNIX_EPOCH)));
        assert!(!notices.take(host, Told::default()) && notices.of(host).is_none());
        for new in [planned(None), planned(Some(Timestamp::UNIX_EPOCH)), planned(Some(Timestamp::MAX))] {
            assert!(notices.take(host, new) && !notices.take(host, new));
            assert_eq!(notices.of(host), Some(new));
        }
        assert!(notices.take(host, Told::default()) && notices.all().is_empty(), "it was called off");
        assert!(notices.take(host, perhaps) && !notices.take(host, perhaps));
        assert!(!notices.take(host, Told::default()), "that it is likely is not taken back");
        assert!(notices.take(host, surely) && !notices.take(host, perhaps));
        assert!(!notices.take(host, notice(Some(Timestamp::MAX))));
        assert_eq!((notices.of(host), notices.all().len()), (Some(surely), 1));
        assert!(notices.take(host, planned(None)), "beside it");
        assert!(notices.of(host).unwrap().to_string().starts_with("the cloud takes it back at "));
        notices.forget(host);
        assert_eq!((notices.of(host), notices.all().len()), (None, 0));
    }
}

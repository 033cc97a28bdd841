//! What a turn goes by, as the database says it. It is read again when somebody has written since, and not otherwise: most
//! turns come of what hosts report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::id::HostId;
use model::instances::InstanceId;
use store::{DesiredApp, Host, ReleaseCache, Store, Vault, Written};

use super::moment::Moment;
use crate::leadership::Leadership;

/// How old it may get although nobody has written: what could not be read is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// What the database says at one moment.
pub(super) struct Rows {
    pub(super) hosts: Vec<Host>,
    pub(super) apps: Vec<DesiredApp>,
    /// The instances of a cloud that hosts were made of.
    pub(super) instances: BTreeMap<HostId, InstanceId>,
    /// Hosts that have to say what runs there before they are told what should.
    pub(super) to_recount: BTreeSet<HostId>,
}

/// What a turn goes by.
pub(super) struct Reading {
    pub(super) moment: Moment,
    pub(super) rows: Arc<Rows>,
    /// It was read just now, and may differ from what was read before.
    pub(super) is_new: bool,
}

/// Reads, and knows what it read last.
#[derive(Default)]
pub(super) struct Reader {
    cache: ReleaseCache,
    last: Option<Last>,
}

struct Last {
    written: Written,
    at: Instant,
    moment: Moment,
    rows: Arc<Rows>,
}

impl Reader {
    /// Returns what the database says now.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        vault: &Vault,
        leadership: &Leadership,
    ) -> store::Result<Reading> {
        let written = store.written().await?;
        if let Some(last) = &self.last
            && last.written == written
            && last.at.elapsed() < AGAIN
        {
            let moment = last.moment.now(leadership);
            return Ok(Reading { moment, rows: Arc::clone(&last.rows), is_new: false });
        }
        let mut db = store.read().await?;
        let moment = Moment::read(&mut db, store, leadership).await?;
        let hosts = store::list_hosts(&mut db).await?;
        let apps = store::desired_apps(&mut db, vault, &mut self.cache).await?;
        let launches = store::list_launches(&mut db).await?;
        let instances = launches.into_iter().filter_map(|launch| launch.host.zip(launch.instance)).collect();
        let to_recount = store::hosts_to_recount(&mut db).await?;
        let rows = Arc::new(Rows { hosts, apps, instances, to_recount });
        self.last = Some(Last { written, at: Instant::now(), moment, rows: Arc::clone(&rows) });
        Ok(Reading { moment, rows, is_new: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_read_again_after_anybody_has_written_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("paas.db");
        let store = Store::open_file(&path).await.unwrap();
        let other = Store::open_file(&path).await.unwrap();
        let vault = Vault::open_file(&dir.path().join("secret-key")).unwrap();
        let (leadership, mut reader) = (Leadership::new("a/1".to_owned()), Reader::default());
        let mut read = async || {
            let reading = reader.read(&store, &vault, &leadership).await.unwrap();
            (reading.is_new, reading.rows.hosts.len())
        };
        assert_eq!([read().await, read().await], [(true, 0), (false, 0)]);
        let mut tx = store.write().await.unwrap();
        store::ensure_host(&mut tx, "one", "a").await.unwrap();
        assert_eq!(read().await, (false, 0), "not committed yet");
        tx.commit().await.unwrap();
        assert_eq!([read().await, read().await], [(true, 1), (false, 1)]);
        let mut tx = other.write().await.unwrap();
        store::ensure_host(&mut tx, "two", "a").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!([read().await, read().await], [(true, 2), (false, 2)], "another process wrote");
    }
}

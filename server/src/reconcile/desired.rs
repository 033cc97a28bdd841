//! Tells each host what should run on it, whenever that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::id::{HostId, ReplicaId};
use model::plan::ReplicaWish;
use model::replica::{HostDesired, ReplicaSpec, Wish};
use model::slug::Digest;
use store::{DesiredApp, Host, Replica};

use super::moment::Moment;
use super::reader::Rows;
use crate::platform::Platform;

/// How often an agent inside a server that does not lead is told that nothing is new, while there are other news.
const AGAIN: Duration = Duration::from_secs(3);

/// Remembers what the hosts were told last.
pub(super) struct Publisher {
    last: BTreeMap<HostId, Arc<HostDesired>>,
    told_at: Instant,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { last: BTreeMap::new(), told_at: Instant::now() }
    }
}

impl Publisher {
    /// The leader may have changed its mind twice, of which this server saw nothing: now and then it says that nothing is new.
    fn is_due(&self, moment: Moment, host: HostId) -> bool {
        self.told_at.elapsed() >= AGAIN && moment.is_after(self.order(host).1)
    }

    /// Returns what orders the wishes that a host was told last.
    pub(super) fn order(&self, host: HostId) -> (u64, u64) {
        self.last.get(&host).map_or((0, 0), |desired| desired.order())
    }

    /// Tells those hosts that were not told the same before. A server that does not lead tells its own one: what follows from
    /// the same rows is the same, and the leader has no other way to it. A host that first has to say what runs there hears
    /// nothing until then, or it would end what is not known yet.
    pub(super) fn publish(&mut self, platform: &Platform, moment: Moment, rows: &Rows) {
        let mut wished = wished(&platform.options.domain, &rows.hosts, &rows.apps);
        wished.retain(|host, _| moment.leads || *host == platform.facts.here());
        wished.retain(|host, _| !rows.to_recount.contains(host));
        self.last.retain(|host, _| wished.contains_key(host));
        for (host, desired) in &mut wished {
            let last = self.last.get(host);
            let same = |last: &Arc<HostDesired>| {
                (&last.replicas, &last.kept, &last.ready)
                    == (&desired.replicas, &desired.kept, &desired.ready)
            };
            let is_known = last.is_some_and(same) && self.order(*host).0 == moment.term;
            if is_known && (moment.leads || !self.is_due(moment, *host)) {
                continue;
            }
            desired.term = moment.term;
            desired.generation = moment.generation(self.order(*host).1);
            self.told_at = Instant::now();
            let desired = Arc::new(std::mem::take(desired));
            platform.wishes.wish(*host, desired.clone());
            self.last.insert(*host, desired);
        }
    }
}

/// Returns what should run on each host.
fn wished(domain: &str, hosts: &[Host], apps: &[DesiredApp]) -> BTreeMap<HostId, HostDesired> {
    let mut wished: BTreeMap<_, _> = hosts.iter().map(|host| (host.id, HostDesired::default())).collect();
    for app in apps {
        for replica in &app.replicas {
            let Some(host) = wished.get_mut(&replica.host_id) else { continue };
            host.replicas.extend(spec(domain, app, replica));
        }
        for (host, replica) in kept(app) {
            if let Some(host) = wished.get_mut(&host) {
                host.kept.insert(replica);
            }
        }
        let ready: Vec<Digest> = fallback(app).into_iter().chain(coming(app)).collect();
        if ready.is_empty() {
            continue;
        }
        // Where the app is, it comes back the soonest.
        let at: BTreeSet<_> = app.replicas.iter().map(|replica| replica.host_id).collect();
        for (id, host) in &mut wished {
            if at.is_empty() || at.contains(id) {
                host.ready.extend(ready.iter().cloned());
            }
        }
    }
    for host in wished.values_mut() {
        host.replicas.sort_by_key(|replica| replica.id);
    }
    wished
}

/// Returns the slug that comes back when what serves does not stand its watch.
fn fallback(desired: &DesiredApp) -> Option<Digest> {
    let release = desired.releases.get(&desired.watch.as_ref()?.fallback)?;
    release.slug.as_ref().map(|(slug, _)| slug.digest.clone())
}

/// Returns the slug of what is being rolled out.
fn coming(desired: &DesiredApp) -> Option<Digest> {
    let release = desired.releases.get(&desired.operation.as_ref()?.version)?;
    release.slug.as_ref().map(|(slug, _)| slug.digest.clone())
}

/// Returns the replicas that should stay and cannot be described.
fn kept(desired: &DesiredApp) -> impl Iterator<Item = (HostId, ReplicaId)> {
    let stays = |replica: &&Replica| replica.wish != ReplicaWish::Stop;
    let unreadable = |replica: &&Replica| desired.unreadable.contains_key(&replica.version);
    desired.replicas.iter().filter(stays).filter(unreadable).map(|replica| (replica.host_id, replica.id))
}

/// A replica whose release has no slug, or no such process, cannot be wished for; none is ever created.
fn spec(domain: &str, desired: &DesiredApp, replica: &Replica) -> Option<ReplicaSpec> {
    let release = desired.releases.get(&replica.version)?;
    let (slug, manifest) = release.slug.as_ref()?;
    let command = replica.command.clone().or_else(|| manifest.processes.get(&replica.process).cloned())?;
    let app = &desired.app;
    Some(ReplicaSpec {
        id: replica.id,
        app: app.id,
        app_name: app.name.clone(),
        uid: app.uid,
        release: replica.version,
        process: replica.process.clone(),
        number: replica.number,
        slug: slug.digest.clone(),
        command,
        image: manifest.image.clone(),
        config: release.config.clone(),
        size: replica.size,
        health: app.settings.health.clone(),
        host_header: format!("{}.{domain}", app.name),
        wish: match replica.wish {
            ReplicaWish::Run | ReplicaWish::Drain { .. } => Wish::Run,
            ReplicaWish::Once { seconds } => Wish::Once { seconds },
            ReplicaWish::Stop => Wish::Stop,
        },
        stop_seconds: app.settings.stop_seconds_of(&replica.process),
    })
}

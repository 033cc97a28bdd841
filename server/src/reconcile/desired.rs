//! Tells the agent what should run on its host, whenever that changes.

use std::sync::Arc;

use agent::Agent;
use jiff::Timestamp;
use model::id::ReplicaId;
use model::plan::ReplicaWish;
use model::replica::{HostDesired, ReplicaSpec, Wish};
use model::slug::Digest;
use store::{DesiredApp, Replica};

use crate::platform::Platform;

/// Remembers what the agent was told last.
pub(super) struct Publisher {
    agent: Arc<Agent>,
    last: Option<HostDesired>,
}

impl Publisher {
    pub(super) fn new(agent: Arc<Agent>) -> Self {
        Self { agent, last: None }
    }

    /// Returns the generation of the wishes that the agent was told last.
    pub(super) fn generation(&self) -> u64 {
        self.last.as_ref().map_or(0, |desired| desired.generation)
    }

    /// Tells the agent, unless it was told the same before.
    pub(super) fn publish(&mut self, platform: &Platform, apps: &[DesiredApp]) {
        let spec = |app: &DesiredApp, replica: &Replica| spec(&platform.options.domain, app, replica);
        let mut replicas: Vec<ReplicaSpec> = apps
            .iter()
            .flat_map(|app| app.replicas.iter().filter_map(move |replica| spec(app, replica)))
            .collect();
        replicas.sort_by_key(|replica| replica.id);
        let kept = apps.iter().flat_map(kept).collect();
        let ready = apps.iter().filter_map(fallback).collect();
        let same = |last: &HostDesired| last.replicas == replicas && last.kept == kept && last.ready == ready;
        if self.last.as_ref().is_some_and(same) {
            return;
        }
        // The clock orders the wishes of one server after those of the one before it.
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let desired = HostDesired { generation: now.max(self.generation() + 1), replicas, kept, ready };
        self.agent.set_desired(desired.clone());
        self.last = Some(desired);
    }
}

/// Returns the slug that comes back when what serves does not stand its watch.
fn fallback(desired: &DesiredApp) -> Option<Digest> {
    let release = desired.releases.get(&desired.watch.as_ref()?.fallback)?;
    release.slug.as_ref().map(|(slug, _)| slug.digest.clone())
}

/// Returns the replicas that should stay and cannot be described.
fn kept(desired: &DesiredApp) -> impl Iterator<Item = ReplicaId> {
    let stays = |replica: &&Replica| replica.wish != ReplicaWish::Stop;
    let unreadable = |replica: &&Replica| desired.unreadable.contains_key(&replica.version);
    desired.replicas.iter().filter(stays).filter(unreadable).map(|replica| replica.id)
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

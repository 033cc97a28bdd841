//! Tells what happens to the replicas of an operation, a line each, for those who watch it.

use std::collections::{BTreeMap, BTreeSet};

use fail_point::Step;
use model::id::ReplicaId;
use model::plan::{AppView, Observation, ReplicaView, World};
use model::replica::Phase;
use store::{DesiredApp, Operation};

use crate::platform::Platform;

/// What was told last of each replica.
#[derive(Default)]
pub(super) struct Progress {
    told: BTreeMap<ReplicaId, Phase>,
}

impl Progress {
    /// Stores the lines that are new. Returns whether there were any.
    pub(super) async fn tell(
        &mut self,
        platform: &Platform,
        apps: &[DesiredApp],
        world: &World,
    ) -> anyhow::Result<bool> {
        let mut lines = Vec::new();
        for (desired, view) in apps.iter().zip(&world.apps) {
            if let Some(operation) = &desired.operation {
                lines.extend(self.news(operation, view).into_iter().map(|line| (operation.id, line)));
            }
        }
        let existing: BTreeSet<ReplicaId> =
            world.apps.iter().flat_map(|app| &app.replicas).map(|replica| replica.id).collect();
        self.told.retain(|id, _| existing.contains(id));
        if lines.is_empty() {
            return Ok(false);
        }
        let mut tx = platform.store.write().await?;
        for (operation, line) in lines {
            store::add_step(&mut tx, operation, &line).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    fn news(&mut self, operation: &Operation, view: &AppView) -> Vec<String> {
        let of_operation = |replica: &&ReplicaView| {
            (replica.version, replica.generation) == (operation.version, operation.generation)
        };
        let mut lines = Vec::new();
        for replica in view.replicas.iter().filter(of_operation) {
            let Observation::Seen(seen) = &replica.seen else { continue };
            if self.told.insert(replica.id, seen.phase) != Some(seen.phase)
                && let Some(words) = words(seen.phase, seen.reason.as_deref())
            {
                lines.push(format!("{} {words}", replica.name()));
                if seen.phase == Phase::Healthy {
                    fail_point::reach(Step::ReplicaHealthy);
                }
            }
        }
        lines
    }
}

fn words(phase: Phase, reason: Option<&str>) -> Option<String> {
    Some(match phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Healthy => "healthy".to_owned(),
        Phase::Unhealthy | Phase::Backoff | Phase::Impossible => {
            reason.map_or_else(|| "not healthy".to_owned(), ToOwned::to_owned)
        }
        Phase::Ended => "done".to_owned(),
        Phase::Stopping => return None,
    })
}

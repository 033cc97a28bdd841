//! Tells what happens to the replicas of an operation, a line each, for those who watch it.

use std::collections::{BTreeMap, BTreeSet};

use fail_point::Step;
use model::exit::ExitCause;
use model::health::ProbeFailure;
use model::id::ReplicaId;
use model::plan::{AppView, Observation, Observed, ReplicaView, World};
use model::replica::Phase;
use store::{DesiredApp, Operation};

use crate::platform::Platform;
use crate::reports::Reports;

/// What was told last of each replica.
#[derive(Default)]
pub(super) struct Progress {
    told: BTreeMap<ReplicaId, Phase>,
    /// Those of which it was told why they are not healthy yet.
    hinted: BTreeSet<ReplicaId>,
    /// Those of which it was told why visitors do not reach them yet, and what.
    waited: BTreeSet<(ReplicaId, String)>,
}

impl Progress {
    /// Stores the lines that are new. Returns whether there were any.
    pub(super) async fn tell(
        &mut self,
        platform: &Platform,
        apps: &[DesiredApp],
        world: &World,
    ) -> anyhow::Result<bool> {
        let (mut lines, reports) = (Vec::new(), platform.facts.reports());
        for (desired, view) in apps.iter().zip(&world.apps) {
            if let Some(operation) = &desired.operation {
                lines.extend(self.news(operation, view).into_iter().map(|line| (operation.id, line)));
                let boot = desired.app.settings.health.boot_seconds;
                lines.extend(self.hints(view, &reports, boot).into_iter().map(|line| (operation.id, line)));
            }
        }
        let existing: BTreeSet<ReplicaId> =
            world.apps.iter().flat_map(|app| &app.replicas).map(|replica| replica.id).collect();
        self.told.retain(|id, _| existing.contains(id));
        self.hinted.retain(|id| existing.contains(id));
        self.waited.retain(|(id, _)| existing.contains(id));
        if lines.is_empty() {
            return Ok(false);
        }
        let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
        for (operation, line) in lines {
            store::add_step(&mut tx, operation, &line).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Says at once what is wrong with those that the rollout waits for, once each.
    fn hints(&mut self, view: &AppView, reports: &Reports, boot_seconds: u32) -> Vec<String> {
        let rolled_out = view.rollout.as_ref().map(|rollout| &rollout.target);
        let new =
            view.replicas.iter().filter(|replica| rolled_out.is_some_and(|target| replica.runs(target)));
        let mut lines = Vec::new();
        for replica in new {
            if let Some(seen) = replica.observed().filter(|seen| seen.phase == Phase::Healthy)
                && let Some(reason) = &seen.reason
                && !seen.entrance
                && self.waited.insert((replica.id, reason.clone()))
            {
                lines.push(format!("{} {reason}", replica.name()));
            }
            let status = reports.status(replica.host, replica.id);
            let status = status.filter(|status| status.phase == Phase::Starting);
            let failure =
                status.and_then(|status| status.probe.as_ref()).filter(|failure| is_telling(failure));
            if let Some(failure) = failure
                && self.hinted.insert(replica.id)
            {
                let name = replica.name();
                lines.push(format!("{name} {failure}; it has {boot_seconds} s to become healthy"));
            }
        }
        lines
    }

    fn news(&mut self, operation: &Operation, view: &AppView) -> Vec<String> {
        let of_operation = |replica: &&ReplicaView| {
            (replica.version, replica.generation) == (operation.version, operation.generation)
        };
        let mut lines = Vec::new();
        for replica in view.replicas.iter().filter(of_operation) {
            let Observation::Seen(seen) = &replica.seen else { continue };
            if self.told.insert(replica.id, seen.phase) != Some(seen.phase)
                && let Some(words) = words(seen)
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

/// Tells whether waiting alone will hardly make it well: it is up, and not as it should be.
fn is_telling(failure: &ProbeFailure) -> bool {
    !matches!(failure, ProbeFailure::NotListening { elsewhere, .. } if elsewhere.is_empty())
}

fn words(seen: &Observed) -> Option<String> {
    Some(match seen.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Healthy => "healthy".to_owned(),
        Phase::Unhealthy | Phase::Backoff | Phase::Impossible => {
            seen.reason.clone().unwrap_or_else(|| "not healthy".to_owned())
        }
        Phase::Ended => ended(seen.exit),
        Phase::Stopping => return None,
    })
}

/// What runs once, such as a release command, ends either way.
fn ended(exit: Option<ExitCause>) -> String {
    match exit {
        Some(ExitCause::Code(0)) | None => "done".to_owned(),
        Some(ExitCause::Code(code)) => format!("failed (exit code {code})"),
        Some(other) => format!("failed ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_command_that_failed_is_not_done() {
        let of = |exit| ended(Some(exit));
        assert_eq!(of(ExitCause::Code(0)), "done");
        assert_eq!(of(ExitCause::Code(4)), "failed (exit code 4)");
        assert_eq!(of(ExitCause::Signal(9)), "failed (was ended by SIGKILL)");
    }
}

//! Tends processes that run once: release commands and one-off commands.

use crate::replica::Phase;

use super::view::{AppView, Observation, ReplicaView, ReplicaWish, RolloutPhase};
use super::{Action, Plan};

/// Forgets one-off processes that have ended, and stops release commands that nobody waits for.
pub(super) fn tend(app: &AppView, plan: &mut Plan) {
    for replica in app.replicas.iter().filter(|replica| matches!(replica.wish, ReplicaWish::Once { .. })) {
        let abandoned = replica.process.as_str() == "release" && !is_release_command(app, replica);
        let done = has_ended(replica) && !is_release_command(app, replica);
        if !app.deleted && (abandoned || done) {
            plan.actions.push(Action::Stop(replica.id));
        }
    }
}

/// Tells whether it is the command that the present rollout waits for.
pub(super) fn is_release_command(app: &AppView, replica: &ReplicaView) -> bool {
    app.rollout.as_ref().is_some_and(|rollout| {
        rollout.phase == RolloutPhase::ReleaseCommand
            && replica.process.as_str() == "release"
            && (replica.version, replica.generation) == rollout.target.key()
    })
}

/// Tells whether a one-off process will not run any more.
pub(super) fn has_ended(replica: &ReplicaView) -> bool {
    match &replica.seen {
        Observation::Pending => false,
        Observation::Gone => true,
        Observation::Seen(seen) => matches!(seen.phase, Phase::Ended | Phase::Impossible),
    }
}

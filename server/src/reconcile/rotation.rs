//! Decides which replicas of an app requests are sent to. It reads no clock and asks nobody.

use model::plan::{AppView, ReplicaView, ReplicaWish};
use model::replica::Phase;

/// Returns the replicas that requests are sent to: of those that may get some, the ones that answer promptly.
///
/// The last one of an app is never left out. When all are slow they are asked as if none were, and when none is healthy,
/// those that serve and still run: an app whose only worker is busy does not answer its probe either.
pub(super) fn rotation(view: &AppView, is_silent: impl Fn(&ReplicaView) -> bool) -> Vec<&ReplicaView> {
    let mut healthy = view.routed();
    if healthy.is_empty() {
        return view.replicas.iter().filter(|replica| still_runs(view, replica)).collect();
    }
    if healthy.iter().any(|replica| !is_silent(replica)) {
        healthy.retain(|replica| !is_silent(replica));
    }
    healthy
}

/// Tells whether a replica serves and runs, though it does not answer its probes.
fn still_runs(view: &AppView, replica: &ReplicaView) -> bool {
    replica.process.is_web()
        && replica.wish == ReplicaWish::Run
        && replica.observed().is_some_and(|seen| seen.phase == Phase::Unhealthy)
        && view.serving.as_ref().is_some_and(|serving| replica.runs(serving))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use model::formation::Formation;
    use model::id::{AppId, HostId, ReplicaId};
    use model::name::ProcessType;
    use model::plan::{Observation, Observed, Target};
    use model::release::Version;
    use model::watch::Traffic;
    use std::collections::BTreeSet;

    fn web(number: u32, phase: Phase) -> ReplicaView {
        let observed = Observed {
            phase,
            restarts: 0,
            entrance: true,
            since: Timestamp::UNIX_EPOCH,
            quiet: true,
            traffic: Traffic::default(),
            exit: None,
            reason: None,
        };
        ReplicaView {
            id: ReplicaId::new(),
            process: ProcessType::web(),
            number,
            version: Version(1),
            generation: 0,
            host: HostId::new(),
            size: Default::default(),
            wish: ReplicaWish::Run,
            replace: false,
            created_at: Timestamp::UNIX_EPOCH,
            seen: Observation::Seen(observed),
        }
    }

    fn app(phases: &[Phase]) -> AppView {
        AppView {
            id: AppId::new(),
            deleted: false,
            serving: Some(Target {
                version: Version(1),
                generation: 0,
                types: BTreeSet::from([ProcessType::web()]),
            }),
            rollout: None,
            watch: None,
            formation: Formation::default(),
            alone: BTreeSet::new(),
            replicas: (1..).zip(phases).map(|(number, phase)| web(number, *phase)).collect(),
        }
    }

    fn asked(view: &AppView, silent: &[u32]) -> Vec<u32> {
        let is_silent = |replica: &ReplicaView| silent.contains(&replica.number);
        rotation(view, is_silent).iter().map(|replica| replica.number).collect()
    }

    #[test]
    fn one_that_is_silent_is_left_out_and_all_that_are_silent_are_not() {
        let view = app(&[Phase::Healthy, Phase::Healthy, Phase::Starting]);
        assert_eq!(asked(&view, &[]), [1, 2]);
        assert_eq!(asked(&view, &[1]), [2]);
        assert_eq!(asked(&view, &[1, 2]), [1, 2]);
        assert_eq!(asked(&app(&[Phase::Healthy]), &[1]), [1]);
    }

    #[test]
    fn an_unhealthy_one_is_asked_only_when_none_is_healthy() {
        assert_eq!(asked(&app(&[Phase::Unhealthy, Phase::Healthy]), &[]), [2]);
        assert_eq!(asked(&app(&[Phase::Unhealthy, Phase::Healthy]), &[2]), [2]);
        assert_eq!(asked(&app(&[Phase::Unhealthy, Phase::Unhealthy]), &[1]), [1, 2]);
    }

    #[test]
    fn when_none_is_healthy_those_are_asked_that_serve_and_still_run() {
        let mut view = app(&[Phase::Unhealthy; 5]);
        view.replicas[0].wish = ReplicaWish::Stop;
        view.replicas[1].version = Version(2);
        view.replicas[2].process = "worker".parse().unwrap();
        view.replicas[3].replace = true;
        assert_eq!(asked(&view, &[]), [5]);
        assert!(asked(&app(&[Phase::Starting, Phase::Backoff, Phase::Stopping]), &[]).is_empty());
        view.serving = None;
        assert!(asked(&view, &[]).is_empty());
    }
}

//! Decides which replicas of an app requests are sent to. It reads no clock and asks nobody.

use std::collections::BTreeMap;

use model::plan::{AppView, ReplicaView, ReplicaWish};
use model::replica::Phase;

/// Returns the replicas that requests are sent to: of those that may get some, the ones that answer promptly.
///
/// The last one of an app is never left out. When all are slow they are asked as if none were, and when none is healthy,
/// those that serve and still run: an app whose only worker is busy does not answer its probe either. While one takes
/// another's place both may be healthy: one of them is asked.
pub(super) fn rotation(view: &AppView, is_silent: impl Fn(&ReplicaView) -> bool) -> Vec<&ReplicaView> {
    let mut healthy = view.routed();
    if healthy.is_empty() {
        return view.replicas.iter().filter(|replica| still_runs(view, replica)).collect();
    }
    if healthy.iter().any(|replica| !is_silent(replica)) {
        healthy.retain(|replica| !is_silent(replica));
    }
    healthy.sort_by_key(|replica| replica.id);
    let mut asked = BTreeMap::new();
    for replica in healthy {
        let place = asked.entry((replica.version, replica.generation, replica.number)).or_insert(replica);
        // The younger one takes over once it was seen through the entrance.
        if replica.answers() {
            *place = replica;
        }
    }
    asked.into_values().collect()
}

/// Returns the replicas that are only asked whether they answer: those of a rollout, and those that are about to take
/// another's place.
pub(super) fn probed<'a>(
    view: &'a AppView,
    asked: &'a [&ReplicaView],
) -> impl Iterator<Item = &'a ReplicaView> {
    let is_asked = |replica: &ReplicaView| asked.iter().any(|other| other.id == replica.id);
    let waiting = move |replica: &&ReplicaView| !replica.answers() && !is_asked(replica);
    view.probed().chain(view.routed().into_iter().filter(waiting))
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
    fn of_two_with_one_name_the_younger_is_asked_once_it_was_seen_through_the_entrance() {
        let mut view = app(&[Phase::Healthy, Phase::Healthy, Phase::Healthy]);
        view.formation.insert(ProcessType::web(), Default::default());
        view.replicas[2].number = 1;
        let [old, new] = [0, 2].map(|at| view.replicas[at].id);
        let entrance = |view: &mut AppView, at: usize, seen: bool| {
            let Observation::Seen(observed) = &mut view.replicas[at].seen else { unreachable!() };
            observed.entrance = seen;
        };
        let first =
            |view: &AppView| rotation(view, |_| false).into_iter().find(|r| r.number == 1).unwrap().id;
        let waits = |view: &AppView| {
            let asked = rotation(view, |_| false);
            probed(view, &asked).map(|replica| replica.id).collect::<Vec<_>>()
        };
        assert_eq!((asked(&view, &[]).len(), first(&view), waits(&view)), (2, new, vec![]));
        entrance(&mut view, 2, false);
        assert_eq!((asked(&view, &[]).len(), first(&view), waits(&view)), (2, old, vec![new]));
        entrance(&mut view, 0, false);
        assert_eq!((first(&view), waits(&view)), (old, vec![new]), "as after a restart of whoever asks");
        entrance(&mut view, 2, true);
        assert_eq!((first(&view), waits(&view)), (new, vec![old]));
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

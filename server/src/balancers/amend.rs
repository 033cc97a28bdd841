//! What is not done of a plan, because the load balancers do not agree to it yet.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{AppId, ReplicaId};
use model::plan::{Action, AppView, Observation, ReplicaView, ReplicaWish, World};
use model::replica::Phase;

use super::Witness;

/// Takes back what would lose requests: that a replica leaves of whose app the balancers were not asked yet, and that one is stopped
/// which a balancer may still send requests to, whatever its deadline is. What is asked through the router is not asked.
pub(crate) fn amend(witness: &Witness, world: &World, actions: &mut Vec<Action>) {
    let unknown: BTreeSet<AppId> =
        world.apps.iter().map(|app| app.id).filter(|app| !witness.knows(*app)).collect();
    let replicas: BTreeMap<ReplicaId, (&AppView, &ReplicaView)> =
        world.apps.iter().flat_map(|app| app.replicas.iter().map(move |r| (r.id, (app, r)))).collect();
    actions.retain(|action| match action {
        Action::Verify(_) => false,
        Action::Drain(id) => replicas
            .get(id)
            .is_none_or(|(app, replica)| !replica.process.is_web() || !unknown.contains(&app.id)),
        Action::Stop(id) => replicas
            .get(id)
            .is_none_or(|(app, replica)| app.deleted || !may_be_asked(replica) || witness.has_let_go(*id)),
        _ => true,
    });
}

/// Tells whether a replica that leaves may still have visitors.
fn may_be_asked(replica: &ReplicaView) -> bool {
    let runs = match &replica.seen {
        Observation::Pending => true,
        Observation::Seen(seen) => {
            matches!(seen.phase, Phase::Starting | Phase::Healthy | Phase::Unhealthy | Phase::Stopping)
        }
        Observation::Gone => false,
    };
    runs && replica.process.is_web() && matches!(replica.wish, ReplicaWish::Drain { .. })
}

#[cfg(test)]
mod tests {
    use cloud::entrance::Outcome;
    use jiff::Timestamp;
    use model::id::HostId;
    use model::name::ProcessType;
    use model::release::Version;

    use super::*;

    fn replica(process: &str, wish: ReplicaWish, seen: Observation) -> ReplicaView {
        ReplicaView {
            id: ReplicaId::new(),
            process: process.parse().unwrap(),
            number: 1,
            version: Version(1),
            generation: 1,
            host: HostId::new(),
            size: Default::default(),
            wish,
            replace: false,
            created_at: Timestamp::UNIX_EPOCH,
            seen,
        }
    }

    fn world(replicas: Vec<ReplicaView>) -> World {
        let app = AppView {
            id: AppId::new(),
            deleted: false,
            serving: None,
            rollout: None,
            watch: None,
            formation: [(ProcessType::web(), Default::default())].into(),
            alone: BTreeSet::new(),
            replicas,
        };
        World { apps: vec![app], hosts: Vec::new() }
    }

    #[test]
    fn nothing_leaves_before_the_balancers_were_asked_and_nothing_stops_before_they_let_it_go() {
        let drain = ReplicaWish::Drain { until: Timestamp::UNIX_EPOCH };
        let world = world(vec![
            replica("web", ReplicaWish::Run, Observation::Pending),
            replica("worker", ReplicaWish::Run, Observation::Pending),
            replica("web", drain, Observation::Pending),
            replica("worker", drain, Observation::Pending),
            replica("web", drain, Observation::Gone),
        ]);
        let ids: Vec<ReplicaId> = world.apps[0].replicas.iter().map(|replica| replica.id).collect();
        let all = [
            Action::Drain(ids[0]),
            Action::Drain(ids[1]),
            Action::Stop(ids[2]),
            Action::Stop(ids[3]),
            Action::Stop(ids[4]),
            Action::Verify(ids[0]),
        ];
        let witness = Witness::default();
        let left = |witness: &Witness| {
            let mut actions = all.to_vec();
            amend(witness, &world, &mut actions);
            actions
        };
        assert_eq!(left(&witness), [all[1].clone(), all[3].clone(), all[4].clone()]);
        let (listed, let_go) = ([world.apps[0].id].into(), [ids[2]].into());
        assert!(witness.take(Outcome { listed, let_go, ..Outcome::default() }));
        assert_eq!(left(&witness), all[..5]);
    }
}

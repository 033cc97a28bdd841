//! What holds in every history, whatever happens in it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::happening::{Delivery, Happening, happenings};
use super::history::History;
use super::*;
use crate::replica::Phase;

/// Long enough for a rollout to meet its deadline, also after the clock was set back.
const QUIET_TURNS: u32 = 2_500;

proptest! {
    #[test]
    fn in_any_history_nothing_dips_nothing_moves_without_a_reason_and_it_converges(
        hosts in 1u128..5, alone: bool, room in prop::option::of(1u64..12), history in happenings(),
    ) {
        let mut it = History::new(hosts, alone, room);
        it.happen(&Happening::Deploy { broken: false, command: false });
        for happening in &history {
            let delivery = it.happen(happening);
            turn(&mut it, delivery)?;
        }
        it.happen(&Happening::ReturnHosts);
        let mut rest = 0;
        // A clock that jumped back has its deadlines further ahead.
        let ahead = it.world.apps[0].rollout.as_ref().map(|rollout| rollout.deadline.duration_since(it.now));
        let ahead = ahead.and_then(|ahead| u32::try_from(ahead.as_secs()).ok()).unwrap_or_default();
        for _ in 0..QUIET_TURNS + ahead {
            let acted = turn(&mut it, Delivery::Fresh)?;
            rest = if acted || it.world.apps[0].rollout.is_some() { 0 } else { rest + 1 };
            if rest == 5 {
                break;
            }
        }
        prop_assert_eq!(rest, 5, "it does not come to rest: {:#?}", plan(&it.world, it.now));
        if plan(&it.world, it.now).waiting.is_empty() {
            one_serving_set(&it)?;
        }
    }
}

/// Plans, checks the plan, carries it out, and lets a second pass.
fn turn(it: &mut History, delivery: Delivery) -> Result<bool, TestCaseError> {
    let plan = plan(&it.world, it.now);
    prop_assert_eq!(&plan, &super::plan(&it.world, it.now), "equal input gives an equal plan");
    for action in &plan.actions {
        has_a_reason(it, action)?;
    }
    let alone = !it.world.apps[0].alone.is_empty();
    let before = (it.capacity("web"), it.capacity("worker"), it.routed());
    let overdue = it.world.apps[0].rollout.as_ref().is_some_and(|rollout| it.now >= rollout.deadline);
    plan.actions.iter().for_each(|action| it.act(action));
    within_room(it, &plan.actions)?;
    prop_assert!(!overdue || it.world.apps[0].rollout.is_none(), "a rollout outlives its deadline");

    let (web, worker) = (it.wanted("web"), it.wanted("worker"));
    prop_assert!(it.capacity("web") >= before.0.min(web), "web dips: {:?} {}", plan, it.describe());
    prop_assert!(it.routed() >= before.2.min(web), "the table dips: {:#?}", plan);
    prop_assert!(
        alone || it.capacity("worker") >= before.1.min(worker),
        "worker dips: {:?} {}",
        plan,
        it.describe()
    );
    it.pass(delivery);
    prop_assert!(!alone || it.at_work("worker").len() < 2, "two releases of a type that does not overlap");
    Ok(plan.actions.iter().any(|action| !matches!(action, Action::Verify(_))))
}

/// Checks that no host is given more than it offers. Of one that is given nothing an old report may claim that more is there.
fn within_room(it: &History, actions: &[Action]) -> Result<(), TestCaseError> {
    let is_given = |id| actions.iter().any(|action| matches!(action, Action::Create(new) if new.host == id));
    for host in it.world.hosts.iter().filter(|host| is_given(host.id)) {
        let claims = |r: &&ReplicaView| {
            let ended =
                r.seen == Observation::Gone || r.observed().is_some_and(|seen| seen.phase == Phase::Ended);
            r.host == host.id && !ended
        };
        let claimed: u64 = it.world.apps[0].replicas.iter().filter(claims).map(|r| r.size.memory_mb()).sum();
        prop_assert!(
            host.memory_mb.is_none_or(|offered| claimed <= offered),
            "too much on a host: {}",
            it.describe()
        );
    }
    Ok(())
}

/// What an action is judged by.
struct Reasons<'a> {
    it: &'a History,
    app: &'a AppView,
    /// What serves, and what is being rolled out.
    targets: [Option<(Version, u64)>; 2],
}

/// Checks that an action changes nothing that was good as it was.
fn has_a_reason(it: &History, action: &Action) -> Result<(), TestCaseError> {
    let app = &it.world.apps[0];
    let rollout = app.rollout.as_ref().map(|rollout| rollout.target.key());
    let reasons = Reasons { it, app, targets: [app.serving.as_ref().map(Target::key), rollout] };
    match action {
        Action::Create(new) => reasons.to_create(new),
        Action::Drain(id) => reasons.to_drain(reasons.replica(*id)),
        Action::Stop(id) => reasons.to_stop(reasons.replica(*id)),
        Action::Forget(id) => {
            prop_assert_eq!(&reasons.replica(*id).seen, &Observation::Gone);
            Ok(())
        }
        Action::Switch(_) => reasons.to_switch(rollout.unwrap()),
        _ => Ok(()),
    }
}

impl Reasons<'_> {
    fn to_create(&self, new: &NewReplica) -> Result<(), TestCaseError> {
        let of = (new.version, new.generation);
        prop_assert!(self.targets.contains(&Some(of)), "nobody wants {new:?}");
        prop_assert!(self.has_standing(new.host, &[Standing::Ready]));
        let numbers: BTreeSet<_> = self.current(&new.process, of).into_iter().collect();
        let enough = new.once_for.is_none() && numbers.len() >= self.wanted(&new.process);
        prop_assert!(!enough, "one too many: {new:?}");
        Ok(())
    }

    fn to_drain(&self, leaving: &ReplicaView) -> Result<(), TestCaseError> {
        prop_assert_eq!(leaving.wish, ReplicaWish::Run);
        let outdated = !self.targets.contains(&Some(key(leaving)));
        let alike = self.current(&leaving.process, key(leaving));
        let namesakes = alike.iter().filter(|number| **number == leaving.number).count();
        let surplus = alike.len() > self.wanted(&leaving.process) || namesakes > 1;
        let gives_way = self.app.alone.contains(&leaving.process) && self.app.rollout.is_some();
        let reason = outdated || leaving.replace || !self.keeps(leaving) || surplus || gives_way;
        prop_assert!(reason, "{} leaves for no reason", leaving.name());
        Ok(())
    }

    fn to_stop(&self, leaving: &ReplicaView) -> Result<(), TestCaseError> {
        match &leaving.wish {
            ReplicaWish::Drain { until } => {
                let busy = leaving.observed().is_some_and(|seen| !seen.quiet);
                prop_assert!(!busy || !leaving.process.is_web() || self.it.now >= *until, "cut off at work");
            }
            wish => {
                prop_assert!(matches!(wish, ReplicaWish::Once { .. }), "stopped without a drain: {wish:?}")
            }
        }
        Ok(())
    }

    fn to_switch(&self, target: (Version, u64)) -> Result<(), TestCaseError> {
        let answers =
            |r: &&ReplicaView| r.process.is_web() && key(r) == target && r.answers() && self.keeps(r);
        let answering = self.app.replicas.iter().filter(answers).count();
        prop_assert!(answering >= self.wanted(&ProcessType::web()), "switched before all answer");
        Ok(())
    }

    fn has_standing(&self, host: HostId, standings: &[Standing]) -> bool {
        self.it.world.hosts.iter().any(|known| known.id == host && standings.contains(&known.standing))
    }

    fn keeps(&self, replica: &ReplicaView) -> bool {
        self.has_standing(replica.host, &[Standing::Ready, Standing::Silent])
    }

    fn replica(&self, id: ReplicaId) -> &ReplicaView {
        self.app.replicas.iter().find(|replica| replica.id == id).unwrap()
    }

    fn wanted(&self, process: &ProcessType) -> usize {
        self.app.formation.get(process).map_or(0, |scale| scale.quantity) as usize
    }

    /// Returns the numbers of the replicas that are good as they are.
    fn current(&self, process: &ProcessType, of: (Version, u64)) -> Vec<u32> {
        let stays = |r: &&ReplicaView| r.wish == ReplicaWish::Run && !r.replace && self.keeps(r);
        let alike = self.app.replicas.iter().filter(|r| r.process == *process && key(r) == of);
        alike.filter(stays).map(|replica| replica.number).collect()
    }
}

fn key(replica: &ReplicaView) -> (Version, u64) {
    (replica.version, replica.generation)
}

fn one_serving_set(it: &History) -> Result<(), TestCaseError> {
    let app = &it.world.apps[0];
    let serving = app.serving.as_ref().map(Target::key);
    let sets: BTreeSet<_> = app.replicas.iter().map(|r| Some((r.version, r.generation))).collect();
    prop_assert!(sets.iter().all(|set| *set == serving), "{sets:?} beside {serving:?}");
    for process in ["web", "worker"] {
        let quantity = if serving.is_some() { it.wanted(process) } else { 0 };
        let names: BTreeSet<_> =
            app.replicas.iter().filter(|r| r.process.as_str() == process).map(ReplicaView::name).collect();
        prop_assert_eq!(names.len(), quantity, "{}: {:?}", process, names);
        // A broken release can serve: nothing was asked of it while the scale was zero.
        prop_assert!(it.capacity(process) == quantity || it.serves_broken());
    }
    let asked = if serving.is_some() { it.wanted("web") } else { 0 };
    prop_assert!(it.routed() == asked || it.serves_broken());
    Ok(())
}

#[test]
fn a_clock_that_jumps_to_and_fro_ends_a_rollout_by_its_deadline_and_harms_nothing() {
    let mut it = History::new(2, false, None);
    it.happen(&Happening::Deploy { broken: false, command: false });
    (0..10).for_each(|_| assert!(turn(&mut it, Delivery::Fresh).is_ok()));
    assert_eq!(it.outcomes, [Ok(())]);
    it.happen(&Happening::Deploy { broken: false, command: false });
    turn(&mut it, Delivery::Fresh).unwrap();
    it.now += SignedDuration::from_hours(1);
    (0..10).for_each(|_| assert!(turn(&mut it, Delivery::Fresh).is_ok()));
    assert!(it.outcomes[1].is_err());
    it.now -= SignedDuration::from_hours(2);
    (0..10).for_each(|_| assert!(turn(&mut it, Delivery::Fresh).is_ok()));
    assert_eq!(it.routed(), 2);
}

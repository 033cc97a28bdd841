//! The plan of one host: stories of single steps, and properties over histories in which anything may fail.

use model::health::HealthCheck;
use model::id::AppId;
use model::release::Version;
use model::size::Size;
use proptest::prelude::*;

use super::*;

fn id(n: u128) -> ReplicaId {
    ReplicaId(uuid::Uuid::from_u128(n))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn spec(n: u128, wish: Wish) -> ReplicaSpec {
    ReplicaSpec {
        id: id(n),
        app: AppId(uuid::Uuid::nil()),
        app_name: "shop".parse().unwrap(),
        uid: 200_000,
        release: Version(1),
        process: "web".parse().unwrap(),
        number: 1,
        slug: "0".repeat(64).parse().unwrap(),
        command: "true".to_owned(),
        image: None,
        config: model::config::ConfigVars::default(),
        size: Size::default(),
        health: HealthCheck::default(),
        host_header: "shop.localhost".to_owned(),
        wish,
        stop_seconds: 30,
    }
}

fn desired(wishes: &[(u128, Wish)]) -> HostDesired {
    let replicas = wishes.iter().map(|(n, wish)| spec(*n, *wish)).collect();
    HostDesired { generation: 1, replicas, ..HostDesired::default() }
}

fn seen(run: Run) -> Seen {
    Seen { run, busy: false, leftovers: run != Run::Never, ends: 0, stop_seconds: 30 }
}

fn steps(wishes: &[(u128, Wish)], observed: &[(u128, Seen)], now: i64) -> Vec<Step> {
    let observed = observed.iter().map(|(n, seen)| (id(*n), seen.clone())).collect();
    converge(&desired(wishes), &observed, at(now)).steps
}

const UP: Run = Run::Up { since: Timestamp::UNIX_EPOCH, stopping: None };

#[test]
fn what_should_run_is_started_and_what_nobody_knows_is_stopped() {
    let wishes = [(1, Wish::Run), (2, Wish::Stop)];
    let found = steps(&wishes, &[(2, seen(UP)), (3, seen(UP))], 0);
    let stop = |n| Step::Stop(id(n), Why::Wished);
    assert_eq!(found, [Step::Start(id(1)), stop(2), stop(3)]);
}

#[test]
fn what_is_to_be_kept_and_cannot_be_described_is_left_alone() {
    let observed = [(1, seen(UP)), (2, seen(Run::Down { at: at(0) })), (3, seen(UP))];
    let observed = observed.iter().map(|(n, seen)| (id(*n), seen.clone())).collect();
    let wishes = HostDesired { kept: [id(1), id(2)].into(), ..desired(&[]) };
    assert_eq!(converge(&wishes, &observed, at(100)).steps, [Step::Stop(id(3), Why::Wished)]);
}

#[test]
fn of_a_replica_to_be_kept_the_wishes_of_before_count() {
    let before = desired(&[(1, Wish::Run), (2, Wish::Run), (3, Wish::Run)]);
    let mut wishes = HostDesired { kept: [id(1), id(2), id(4)].into(), ..desired(&[(2, Wish::Stop)]) };
    wishes.take_over(&before);
    let found: Vec<_> = wishes.replicas.iter().map(|spec| (spec.id, spec.wish)).collect();
    assert_eq!(found, [(id(1), Wish::Run), (id(2), Wish::Stop)]);
}

#[test]
fn a_replica_with_a_step_under_way_gets_no_other() {
    assert_eq!(steps(&[(1, Wish::Stop)], &[(1, Seen { busy: true, ..seen(UP) })], 0), []);
}

#[test]
fn a_crashed_replica_is_started_after_its_pause() {
    let crashed = [(1, Seen { ends: 3, ..seen(Run::Down { at: at(0) }) })];
    assert_eq!(steps(&[(1, Wish::Run)], &crashed, 3), []);
    assert_eq!(steps(&[(1, Wish::Run)], &crashed, 4), [Step::Start(id(1))]);
    let observed = crashed.iter().map(|(n, seen)| (id(*n), seen.clone())).collect();
    assert_eq!(converge(&desired(&[(1, Wish::Run)]), &observed, at(1)).wake, Some(at(4)));
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_a_replica_down() {
    let crashed = [(1, Seen { ends: 1, ..seen(Run::Down { at: at(86_400) }) })];
    assert_eq!(steps(&[(1, Wish::Run)], &crashed, 0), [Step::Start(id(1))]);
}

#[test]
fn what_runs_once_is_never_started_again_and_is_ended_by_its_time_limit() {
    let once = [(1, Wish::Once { seconds: 60 })];
    let up = [(1, seen(Run::Up { since: at(0), stopping: None }))];
    assert_eq!(steps(&once, &up, 59), []);
    assert_eq!(steps(&once, &up, 60), [Step::Stop(id(1), Why::TimeLimit(60))]);
    let ended = Seen { leftovers: false, ..seen(Run::Down { at: at(0) }) };
    assert_eq!(steps(&once, &[(1, ended)], 100_000), []);
}

#[test]
fn a_supervisor_that_hangs_is_killed_well_after_the_stop_time() {
    let up = |killed| {
        let stopping = Some(Stopping { since: at(0), killed });
        [(1, seen(Run::Up { since: at(-60), stopping }))]
    };
    assert_eq!(steps(&[(1, Wish::Stop)], &up(false), 39), []);
    assert_eq!(steps(&[(1, Wish::Stop)], &up(false), 40), [Step::Kill(id(1))]);
    assert_eq!(steps(&[(1, Wish::Stop)], &up(true), 41), []);
}

#[test]
fn a_stopped_replica_is_cleaned_and_then_kept_in_mind_until_nobody_asks_for_it() {
    let down = seen(Run::Down { at: at(0) });
    let clean = Seen { leftovers: false, ..down.clone() };
    assert_eq!(steps(&[(1, Wish::Stop)], &[(1, down)], 0), [Step::Clean(id(1))]);
    assert_eq!(steps(&[(1, Wish::Stop)], &[(1, clean.clone())], 0), []);
    assert_eq!(steps(&[], &[(1, clean)], 0), [Step::Forget(id(1))]);
}

/// A host that carries out each step at once, unless it fails.
#[derive(Default)]
struct Toy {
    now: i64,
    observed: Observed,
    starts: BTreeMap<ReplicaId, Vec<i64>>,
}

impl Toy {
    fn turn(&mut self, desired: &HostDesired, fails: bool) -> Plan {
        let plan = converge(desired, &self.observed, at(self.now));
        let ids: BTreeSet<_> = plan.steps.iter().map(Step::id).collect();
        assert_eq!(ids.len(), plan.steps.len(), "at most one step for each");
        for step in &plan.steps {
            self.carry_out(*step, fails);
        }
        plan
    }

    fn carry_out(&mut self, step: Step, fails: bool) {
        let now = at(self.now);
        let entry = self.observed.entry(step.id()).or_insert_with(|| seen(Run::Never));
        match step {
            Step::Start(id) => {
                assert!(!matches!(entry.run, Run::Up { .. }), "never twice at once");
                self.starts.entry(id).or_default().push(self.now);
                entry.leftovers = true;
                entry.run = if fails {
                    Run::Refused { at: now, for_good: false }
                } else {
                    Run::Up { since: now, stopping: None }
                };
                entry.ends += u32::from(fails);
            }
            Step::Stop(..) => {
                let Run::Up { since, .. } = entry.run else { panic!("only what runs is stopped") };
                entry.run = Run::Up { since, stopping: Some(Stopping { since: now, killed: false }) };
            }
            Step::Kill(_) => entry.run = Run::Down { at: now },
            Step::Clean(_) => entry.leftovers = false,
            Step::Forget(id) => {
                self.observed.remove(&id);
            }
        }
    }

    fn end(&mut self, n: u128) {
        let now = at(self.now);
        if let Some(entry) = self.observed.get_mut(&id(n))
            && let Run::Up { since, stopping } = entry.run
        {
            entry.run = Run::Down { at: now };
            let asked = stopping.is_some();
            entry.ends =
                if asked { 0 } else { backoff::ends_in_a_row(entry.ends, now.duration_since(since)) };
        }
    }
}

impl Step {
    fn id(&self) -> ReplicaId {
        match *self {
            Self::Start(id) | Self::Stop(id, _) | Self::Kill(id) | Self::Clean(id) | Self::Forget(id) => id,
        }
    }
}

fn wish() -> impl Strategy<Value = Option<Wish>> {
    prop_oneof![
        Just(Some(Wish::Run)),
        Just(Some(Wish::Stop)),
        (1u32..100).prop_map(|seconds| Some(Wish::Once { seconds })),
        Just(None)
    ]
}

proptest! {
    #[test]
    fn whatever_happened_the_host_comes_to_rest_as_desired(
        history in prop::collection::vec((prop::collection::vec(wish(), 4), 0u128..4, -50i64..500, any::<bool>()), 0..30),
        last in prop::collection::vec(wish(), 4),
    ) {
        let wishes = |list: &[Option<Wish>]| -> Vec<(u128, Wish)> {
            (0..).zip(list).filter_map(|(n, wish)| wish.map(|wish| (n, wish))).collect()
        };
        let mut toy = Toy::default();
        for (list, ends, passes, fails) in history {
            toy.turn(&desired(&wishes(&list)), fails);
            toy.end(ends);
            toy.now += passes;
        }
        let last = desired(&wishes(&last));
        for _ in 0..20 {
            // What was told to end does so in the end; the rest runs on.
            let stopping = |seen: &Seen| matches!(seen.run, Run::Up { stopping: Some(_), .. });
            let ending: Vec<_> = toy.observed.iter().filter(|(_, s)| stopping(s)).map(|(id, _)| id.0.as_u128()).collect();
            ending.into_iter().for_each(|n| toy.end(n));
            let plan = toy.turn(&last, false);
            if plan.steps.is_empty() && let Some(wake) = plan.wake {
                toy.now = wake.as_second() - 1_000_000;
            }
        }
        for spec in &last.replicas {
            let seen = toy.observed.get(&spec.id);
            let up = seen.is_some_and(|seen| matches!(seen.run, Run::Up { .. }));
            prop_assert_eq!(up, spec.wish == Wish::Run);
            prop_assert!(up || seen.is_none_or(|seen| !seen.leftovers));
        }
        let known: BTreeSet<_> = last.replicas.iter().map(|spec| spec.id).collect();
        prop_assert!(toy.observed.keys().all(|id| known.contains(id)));
        prop_assert_eq!(converge(&last, &toy.observed, at(toy.now)).steps, []);
    }

    #[test]
    fn a_crash_loop_costs_few_starts(runs_for in 0i64..30) {
        let mut toy = Toy::default();
        let wishes = desired(&[(1, Wish::Run)]);
        while toy.now < 3_600 {
            let plan = toy.turn(&wishes, false);
            if plan.steps.is_empty() {
                toy.now = plan.wake.unwrap().as_second() - 1_000_000;
            } else {
                toy.now += runs_for;
                toy.end(1);
            }
        }
        prop_assert!(toy.starts[&id(1)].len() <= 21, "{} starts in an hour", toy.starts[&id(1)].len());
    }

    #[test]
    fn what_runs_once_is_started_at_most_once(
        events in prop::collection::vec((0i64..100, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let mut toy = Toy::default();
        let wishes = desired(&[(1, Wish::Once { seconds: 50 })]);
        for (passes, ends, fails) in events {
            toy.turn(&wishes, fails);
            if ends { toy.end(1); }
            toy.now += passes;
        }
        prop_assert_eq!(toy.starts[&id(1)].len(), 1);
    }
}

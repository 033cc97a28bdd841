//! How long one plan takes for a fleet of 1,000 hosts in three zones and 10,000 replicas: at rest, with deploys going on
//! in a tenth of the apps, while hosts are lost, and when all are placed at once, with room and without. Prints medians
//! beside the target; asserts nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measured")]

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use model::formation::Scale;
use model::id::{AppId, HostId, OperationId, ReplicaId};
use model::name::ProcessType;
use model::plan::{
    AppView, HostView, Observation, Observed, ReplicaView, ReplicaWish, Rollout, RolloutPhase, Standing,
    Target, World, plan,
};
use model::release::Version;
use model::replica::Phase;
use uuid::Uuid;

const HOSTS: u128 = 1_000;
const ZONES: u128 = 3;
const APPS: u128 = 1_000;
const WEB: u128 = 8;
const WORKERS: u128 = 2;
const ROUNDS: usize = 31;
const TARGET: Duration = Duration::from_millis(50);

fn main() {
    // `cargo nextest` lists benches; one that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let now = Timestamp::from_second(1_000_000).unwrap();
    println!(
        "one plan, {HOSTS} hosts, {APPS} apps, {} replicas; medians of {ROUNDS}\n",
        APPS * (WEB + WORKERS)
    );
    println!("{:<52}{:>9}{:>10}{:>10}{:>16}", "", "time", "actions", "waiting", "target 50 ms");
    let mut world = fleet();
    measure("at rest", &world, now);
    for app in world.apps.iter_mut().step_by(10) {
        roll_out(app, now);
    }
    measure("a tenth of the apps begins a deploy", &world, now);
    begin(&mut world, now);
    measure("a tenth of the apps waits for new replicas to boot", &world, now);
    for app in &mut world.apps {
        app.replicas.iter_mut().for_each(|replica| replica.seen = seen());
        if let Some(rollout) = app.rollout.take() {
            app.serving = Some(rollout.target);
        }
    }
    measure("a tenth of the apps lets old replicas go", &world, now);
    let mut world = fleet();
    world.hosts.iter_mut().take(100).for_each(|host| host.standing = Standing::Lost);
    measure("a tenth of the hosts is lost", &world, now);
    let mut world = fleet();
    world.apps.iter_mut().for_each(|app| roll_out(app, now));
    measure("all apps begin a deploy at once", &world, now);
    let mut world = fleet();
    world.apps.iter_mut().for_each(|app| app.replicas.clear());
    measure("all replicas are placed on empty hosts", &world, now);
    world.hosts.iter_mut().for_each(|host| host.memory_mb = Some(2_048));
    measure("all are placed, and there is room for less than half", &world, now);
}

fn measure(what: &str, world: &World, now: Timestamp) {
    let (mut actions, mut waiting) = (0, 0);
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let plan = plan(world, now);
            let took = began.elapsed();
            (actions, waiting) = (plan.actions.len(), plan.waiting.len());
            took
        })
        .collect();
    times.sort_unstable();
    let median = times[ROUNDS / 2];
    let verdict = if median <= TARGET { "met" } else { "missed" };
    println!("{what:<52}{:>6.2} ms{actions:>10}{waiting:>10}{verdict:>16}", median.as_secs_f64() * 1e3);
}

fn fleet() -> World {
    let host = |n| HostView {
        id: HostId(Uuid::from_u128(n)),
        zone: format!("zone-{}", n % ZONES),
        standing: Standing::Ready,
        memory_mb: Some(64 * 1024),
        cpu_millicores: Some(16_000),
    };
    let hosts = (0..HOSTS).map(host).collect();
    World { apps: (0..APPS).map(app).collect(), hosts }
}

fn app(n: u128) -> AppView {
    let worker: ProcessType = "worker".parse().unwrap();
    let types = [ProcessType::web(), worker.clone()];
    let scale =
        |quantity: u128| Scale { quantity: u32::try_from(quantity).unwrap(), size: Default::default() };
    let mut app = AppView {
        id: AppId(Uuid::from_u128(n)),
        deleted: false,
        serving: Some(Target { version: Version(1), generation: 1, types: types.into() }),
        rollout: None,
        watch: None,
        formation: [(ProcessType::web(), scale(WEB)), (worker.clone(), scale(WORKERS))].into(),
        alone: Default::default(),
        replicas: Vec::new(),
    };
    for place in 0..WEB + WORKERS {
        let (process, number) = match place.checked_sub(WEB) {
            None => (ProcessType::web(), place + 1),
            Some(place) => (worker.clone(), place + 1),
        };
        let host = HostId(Uuid::from_u128((n * 10 + place) % HOSTS));
        let id = ReplicaId(Uuid::from_u128(n * 1_000 + place));
        app.replicas.push(ReplicaView { seen: seen(), ..replica(id, (process, number), host, (1, 1)) });
    }
    app
}

fn replica(
    id: ReplicaId,
    (process, number): (ProcessType, u128),
    host: HostId,
    (version, generation): (u64, u64),
) -> ReplicaView {
    ReplicaView {
        id,
        process,
        number: u32::try_from(number).unwrap(),
        version: Version(version),
        generation,
        host,
        size: Default::default(),
        wish: ReplicaWish::Run,
        replace: false,
        created_at: Timestamp::from_second(1_000_000).unwrap(),
        seen: Observation::Pending,
    }
}

fn seen() -> Observation {
    Observation::Seen(Observed {
        phase: Phase::Healthy,
        restarts: 0,
        entrance: true,
        since: Timestamp::UNIX_EPOCH,
        quiet: true,
        traffic: Default::default(),
        exit: None,
        reason: None,
    })
}

fn roll_out(app: &mut AppView, now: Timestamp) {
    let types = app.serving.as_ref().unwrap().types.clone();
    app.rollout = Some(Rollout {
        operation: OperationId(app.id.0),
        target: Target { version: Version(2), generation: 2, types },
        phase: RolloutPhase::Rolling,
        deadline: now + SignedDuration::from_secs(300),
        boot_seconds: 60,
    });
}

/// Makes the replicas that are planned.
fn begin(world: &mut World, now: Timestamp) {
    for action in plan(world, now).actions {
        let model::plan::Action::Create(new) = action else { continue };
        let app = world.apps.iter_mut().find(|app| app.id == new.app).unwrap();
        let id = ReplicaId(Uuid::from_u128(app.id.0.as_u128() * 1_000 + 500 + app.replicas.len() as u128));
        let name = (new.process, u128::from(new.number));
        app.replicas.push(replica(id, name, new.host, (2, 2)));
    }
}

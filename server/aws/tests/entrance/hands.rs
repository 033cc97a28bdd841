//! The hands of the entrance with the real SDK: an app comes, a replica of it leaves, the server is replaced, and the app goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud::entrance::{Check, Entrance, Manners, Outcome, Shown, Wanted};
use jiff::{SignedDuration, Timestamp};
use model::app::AppSettings;
use model::entrance::{Limits, Target, TargetHealth};
use model::id::{AppId, HostId, ReplicaId};
use model::name::ProcessType;
use model::plan::{AppView, Observation, Observed, ReplicaView, ReplicaWish};
use model::release::Version;
use model::replica::Phase;
use serde_json::json;

use crate::region::Simcloud;

fn replica(number: u32) -> ReplicaView {
    ReplicaView {
        id: ReplicaId::new(),
        process: ProcessType::web(),
        number,
        version: Version(1),
        generation: 1,
        host: HostId::new(),
        size: Default::default(),
        wish: ReplicaWish::Run,
        replace: false,
        created_at: Timestamp::UNIX_EPOCH,
        seen: Observation::Seen(Observed {
            phase: Phase::Healthy,
            restarts: 0,
            entrance: false,
            since: Timestamp::UNIX_EPOCH,
            quiet: false,
            traffic: Default::default(),
            exit: None,
            reason: None,
        }),
    }
}

/// An app with two replicas on one instance.
pub(super) fn wanted(instance: &str) -> Wanted {
    let web = [ProcessType::web()];
    let target = model::plan::Target { version: Version(1), generation: 1, types: web.into() };
    let view = AppView {
        id: AppId::new(),
        deleted: false,
        serving: Some(target),
        rollout: None,
        watch: None,
        formation: [(ProcessType::web(), model::formation::Scale { quantity: 2, size: Default::default() })]
            .into(),
        alone: Default::default(),
        replicas: vec![replica(1), replica(2)],
    };
    let at = |port| Target { instance: instance.parse().unwrap(), port };
    let targets = view.replicas.iter().zip(20_000..).map(|(one, port)| (one.id, Some(at(port)))).collect();
    let settings = AppSettings::default();
    let shown = Shown {
        name: "shop".to_owned(),
        view,
        hosts: ["shop.example.org".parse().unwrap()].into(),
        check: Check::of(&settings),
        manners: Manners::of(&settings),
        closed: false,
    };
    let instances = [instance.parse().unwrap()].into();
    Wanted { apps: vec![shown], targets, instances, ..Wanted::default() }
}

/// Takes turns, an hour ahead of the last ones, until the outcome is as it should be.
pub(super) async fn until(
    hands: &mut Entrance,
    wanted: &Wanted,
    hour: i64,
    is_right: impl Fn(&Outcome) -> bool,
) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let now = Timestamp::now() + SignedDuration::from_hours(hour);
        let outcome = hands.turn(wanted, now, &|| true).await;
        if is_right(&outcome) {
            return;
        }
        assert!(Instant::now() < deadline, "{outcome:#?}");
    }
}

#[tokio::test]
async fn an_app_gets_visitors_lets_a_replica_go_outlives_its_server_and_leaves_nothing() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1, "health_scale": 0.05, "drain_scale": 0.02 }));
    let balancers = Arc::new(sky.balancers().await);
    let new = || Entrance::new(balancers.clone(), "prod", Limits::default());
    let (mut hands, mut wanted) = (new(), wanted(&sky.instance().await));
    let healthy = |outcome: &Outcome, count: usize| {
        let words = outcome.words.values().filter(|word| word.health == Some(TargetHealth::Healthy));
        words.count() == count && outcome.alarms.is_empty()
    };
    until(&mut hands, &wanted, 0, |outcome| healthy(outcome, 2)).await;
    let leaves = &mut wanted.apps[0].view.replicas[1];
    (leaves.wish, leaves.replace) = (ReplicaWish::Drain { until: Timestamp::MAX }, true);
    let leaves = leaves.id;
    until(&mut hands, &wanted, 0, |outcome| outcome.let_go.contains(&leaves)).await;
    let mut hands = new();
    until(&mut hands, &wanted, 0, |outcome| healthy(outcome, 1) && outcome.let_go.contains(&leaves)).await;
    wanted.apps.clear();
    until(&mut hands, &wanted, 0, |outcome| outcome.alarms.is_empty()).await;
    for hour in 1..5 {
        until(&mut hands, &wanted, hour, |outcome| outcome.alarms.is_empty()).await;
    }
    let state = sky.ask("state");
    assert_eq!(state["groups"].as_object().map(serde_json::Map::len), Some(0), "{state:#}");
}

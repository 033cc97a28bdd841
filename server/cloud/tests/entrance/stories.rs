//! Stories: what is not ours, what was changed by hand, what is too much for one balancer, and what nobody hears of.

use std::collections::BTreeSet;

use cloud::entrance::{Manners, Rule};
use model::entrance::{CLOSED, Limits, Target, TargetHealth};

use crate::made_up::Fault;
use crate::world::{REST, World};

#[tokio::test]
async fn what_is_somebody_elses_is_left_alone() {
    let mut world = World::new(1);
    let by_hand = Rule {
        arn: "rule/hand".to_owned(),
        priority: 1_000,
        hosts: ["a1.example.org".parse().unwrap()].into(),
        group: Some("group/somebodys".to_owned()),
        ours: false,
    };
    let now = world.now();
    world.sky.sky().rules.entry("listener/paas-test".to_owned()).or_default().push((by_hand.clone(), now));
    world.settle().await;
    let stranger: Target = Target { instance: "i-fff".parse().unwrap(), port: 80 };
    for made in world.sky.sky().groups.values_mut() {
        made.targets.insert(stranger.clone(), (TargetHealth::Healthy, now));
    }
    world.deploy(0);
    world.settle().await;
    world.is_whole();
    let sky = world.sky.sky();
    assert!(sky.rules.values().flatten().any(|(rule, _)| *rule == by_hand));
    assert!(sky.groups.values().all(|made| made.targets.contains_key(&stranger)));
}

#[tokio::test]
async fn what_a_forgotten_launch_became_serves_until_the_app_has_all_it_should_have() {
    let mut world = World::new(1);
    world.settle().await;
    let (stray, now) = (Target { instance: "i-fff".parse().unwrap(), port: 80 }, world.now());
    for made in world.sky.sky().groups.values_mut() {
        made.targets.insert(stray.clone(), (TargetHealth::Healthy, now));
    }
    world.strays = [stray.instance.clone()].into();
    world.scale(0, 5);
    let (mut turns, mut visited) = (0, 0);
    loop {
        world.turn().await;
        let listed = world.sky.sky().groups.values().next().unwrap().targets.clone();
        match listed.get(&stray) {
            Some((TargetHealth::Healthy, _)) => {
                visited += usize::from(world.outcome.visited == Some(world.strays.clone()));
                turns += 1;
            }
            _ => {
                let healthy = |(health, _): &&(TargetHealth, _)| *health == TargetHealth::Healthy;
                assert_eq!(listed.values().filter(healthy).count(), 5);
                break;
            }
        }
        assert!(turns < 100, "it stays for good");
    }
    assert!(visited > 1, "it was let go at once");
    world.settle().await;
    world.is_whole();
    assert!(!world.sky.sky().groups.values().any(|made| made.targets.contains_key(&stray)));
    assert_eq!(world.outcome.visited, Some([].into()));
}

#[tokio::test]
async fn what_was_changed_by_hand_is_put_back_and_told() {
    let mut world = World::new(1);
    world.settle().await;
    {
        let mut sky = world.sky.sky();
        for made in sky.groups.values_mut() {
            made.group.check.path = "/wrong".to_owned();
            made.manners = Manners { drain_seconds: 300, sticky: true };
            made.targets.clear();
        }
        sky.rules.values_mut().for_each(Vec::clear);
    }
    let mut told = Vec::new();
    for _ in 0..400 {
        world.turn().await;
        told.extend(world.outcome.events.clone());
    }
    world.is_whole();
    let told: Vec<_> = told.iter().map(|notice| notice.says.as_str()).collect();
    for part in ["its health check was", "targets are let go was", "its rules were", "its targets were"] {
        let part = format!("{part} changed by hand");
        assert_eq!(told.iter().filter(|says| says.contains(&part)).count(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn a_rule_that_was_removed_by_hand_is_back_within_a_minute_and_a_target_of_many_too() {
    let mut world = World::new(1);
    world.settle().await;
    world.sky.sky().rules.values_mut().for_each(Vec::clear);
    world.sky.sky().groups.values_mut().for_each(|made| drop(made.targets.pop_first()));
    let mut told = Vec::new();
    for _ in 0..65 {
        world.turn().await;
        told.extend(world.outcome.events.iter().map(|notice| notice.says.clone()));
    }
    world.is_whole();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn a_group_that_was_removed_by_hand_is_made_again_soon_and_told() {
    let mut world = World::new(2);
    world.settle().await;
    {
        let mut sky = world.sky.sky();
        sky.suffix = "/again";
        sky.groups.pop_first();
        let left: BTreeSet<String> = sky.groups.keys().cloned().collect();
        let leads = |(rule, _): &(Rule, _)| rule.group.as_ref().is_some_and(|group| left.contains(group));
        sky.rules.values_mut().for_each(|rules| rules.retain(leads));
    }
    let mut told = Vec::new();
    for _ in 0..75 {
        world.turn().await;
        told.extend(world.outcome.events.iter().map(|notice| notice.says.clone()));
    }
    world.is_whole();
    assert_eq!(told, ["its target group was removed by hand and is made again"]);
}

#[tokio::test]
async fn targets_that_come_and_go_with_replicas_were_changed_by_nobody_else() {
    let mut world = World::new(1);
    world.settle().await;
    for quantity in [4, 1, 3] {
        world.scale(0, quantity);
        for _ in 0..REST {
            world.turn().await;
            assert_eq!(world.outcome.events, []);
        }
    }
    world.deploy(0);
    for _ in 0..REST {
        world.turn().await;
        assert_eq!(world.outcome.events, []);
    }
    world.is_whole();
}

#[tokio::test]
async fn an_app_without_room_says_so_and_goes_to_a_further_balancer() {
    let mut world = World::new(2);
    world.limits = Limits { groups: 1, ..Limits::default() };
    world.restart();
    world.settle().await;
    let [alarm] = &world.outcome.alarms[..] else { panic!("{:?}", world.outcome.alarms) };
    assert_eq!(
        alarm.says,
        "no load balancer has room for all of it; `paasctl aws:up --balancers 2` makes another one"
    );
    assert_eq!(world.outcome.without.values().next(), Some(&alarm.says), "its replicas say so, too");
    {
        let mut sky = world.sky.sky();
        sky.balancers.push("paas-further".to_owned());
        sky.tls.insert("paas-further".to_owned());
    }
    let mut told = Vec::new();
    for _ in 0..700 {
        world.turn().await;
        told.extend(world.outcome.events.iter().map(|notice| notice.says.clone()));
    }
    assert_eq!(told, ["it is on paas-further: its names must point to paas-further.example.net"]);
    world.is_whole();
    let addresses: Vec<_> = world.outcome.addresses.values().cloned().collect();
    assert_eq!(addresses, ["paas-test.example.net", "paas-further.example.net"]);
    assert_eq!(world.outcome.balancers.as_ref().map(Vec::len), Some(2));
    assert!(world.outcome.tls.iter().eq(world.outcome.addresses.keys().skip(1)), "{:?}", world.outcome);
}

#[tokio::test]
async fn an_app_that_moves_is_led_to_its_new_balancer_only_once_it_serves_there() {
    let mut world = World::new(2);
    world.limits = Limits { targets: 10, ..Limits::default() };
    world.sky.sky().balancers.push("paas-further".to_owned());
    world.restart();
    world.settle().await;
    world.scale(1, 4);
    world
        .sky
        .sky()
        .faults
        .extend([Fault::None, Fault::Throttled, Fault::Unheard, Fault::Throttled].repeat(20));
    let mut led = BTreeSet::new();
    for _ in 0..900 {
        world.turn().await;
        for (app, address) in &world.outcome.addresses {
            let sky = world.sky.sky();
            let rules = &sky.rules[&format!("listener/{}", address.trim_end_matches(".example.net"))];
            let here = rules.iter().filter(|(rule, _)| rule.hosts == world.names[app]);
            let groups = here.filter_map(|(rule, _)| sky.groups.get(rule.group.as_ref()?));
            let mut targets = groups.flat_map(|made| made.targets.values());
            assert!(targets.any(|(health, _)| *health == TargetHealth::Healthy), "{app} at {address}");
            led.insert((*app, address.clone()));
        }
    }
    assert_eq!(led.len(), 3, "one has moved: {led:?}");
}

#[tokio::test]
async fn maintenance_turns_visitors_away_and_lets_them_back_in_at_once() {
    let mut world = World::new(2);
    world.settle().await;
    world.settings.maintenance = true;
    world.settle().await;
    assert_eq!((world.answering("a1.example.com"), world.answering("a2.example.com")), (0, 0));
    {
        let sky = world.sky.sky();
        let health = sky.groups.values().flat_map(|made| made.targets.values());
        assert!(
            health.clone().count() == 4 && health.clone().all(|(health, _)| *health == TargetHealth::Healthy)
        );
        let rules = sky.rules.values().flatten().filter(|(rule, _)| rule.group.as_deref() == Some(CLOSED));
        assert_eq!(rules.map(|(rule, _)| rule.hosts.len()).collect::<Vec<_>>(), [2], "one rule for both");
    }
    world.deploy(0);
    world.settle().await;
    assert!(world.plans.apps[0].rollout.is_none(), "what is deployed meanwhile is checked");
    assert_eq!(world.answering("a1.example.com"), 0);
    world.settings.maintenance = false;
    for _ in 0..2 {
        world.turn().await;
    }
    assert_eq!((world.answering("a1.example.com"), world.answering("a2.example.com")), (2, 2));
    world.settle().await;
    world.is_whole();
}

#[tokio::test]
async fn a_server_that_has_not_heard_of_its_hosts_yet_takes_nothing_away() {
    let mut world = World::new(1);
    world.settle().await;
    world.restart();
    world.unheard = true;
    for _ in 0..100 {
        world.turn().await;
        assert_eq!(world.answering("a1.example.com"), 2);
    }
    world.unheard = false;
    world.settle().await;
    world.is_whole();
}

#[tokio::test]
async fn a_group_that_has_failed_open_is_no_proof_of_health() {
    let mut world = World::new(1);
    world.settle().await;
    let before: Vec<_> = world.plans.apps[0].replicas.iter().map(|replica| replica.id).collect();
    world.sky.sky().sick = (20_000..20_100).collect();
    world.deploy(0);
    world.settle().await;
    let [alarm] = &world.outcome.alarms[..] else { panic!("{:?}", world.outcome.alarms) };
    assert!(alarm.says.contains("sends requests to all of them"));
    assert!(world.plans.apps[0].rollout.is_some(), "nothing is switched to");
    assert!(before.iter().all(|id| world.plans.apps[0].replicas.iter().any(|replica| replica.id == *id)));
    world.sky.sky().sick.clear();
    world.settle().await;
    world.is_whole();
}

#[tokio::test]
async fn one_instance_that_is_gone_does_not_keep_the_others_out() {
    let mut world = World::new(1);
    world.scale(0, 6);
    world.sky.sky().ended.insert("i-1".to_owned());
    world.settle().await;
    let sky = world.sky.sky();
    let made = sky.groups.values().next().unwrap();
    assert_eq!(made.targets.len(), 4, "{:?}", made.targets);
    assert!(world.outcome.alarms.iter().any(|alarm| alarm.says.contains("i-1 is not known")));
}

#[tokio::test]
async fn an_instance_that_ends_takes_its_targets_away_and_nobody_is_blamed() {
    let mut world = World::new(1);
    world.scale(0, 6);
    world.settle().await;
    {
        let mut sky = world.sky.sky();
        sky.ended.insert("i-1".to_owned());
        for made in sky.groups.values_mut() {
            made.targets.retain(|target, _| target.instance.as_str() != "i-1");
        }
    }
    for _ in 0..REST {
        world.turn().await;
        assert_eq!(world.outcome.events, []);
    }
    assert!(world.outcome.alarms.iter().any(|alarm| alarm.says.contains("i-1 is not known")));
}

#[tokio::test]
async fn while_nothing_happens_little_is_asked_and_nothing_is_changed() {
    let mut world = World::new(30);
    world.settle().await;
    world.settle().await;
    world.is_whole();
    let seen = |world: &World| {
        let sky = world.sky.sky();
        (sky.calls, sky.changes)
    };
    let before = seen(&world);
    for _ in 0..600 {
        world.turn().await;
    }
    let (calls, changes) = seen(&world);
    assert_eq!(changes, before.1);
    // A minute: the targets of each app, how those of some are let go, groups and rules, and all the rest now and then.
    assert!(calls - before.0 < 10 * (30 + 30 / 5 + 2 + 1), "{} calls in ten minutes", calls - before.0);
}

#[tokio::test]
async fn many_apps_in_which_nothing_happens_are_asked_for_no_more_often_in_all_than_some() {
    let mut asked = Vec::new();
    for apps in [30, 60] {
        let mut world = World::new(apps);
        world.settle().await;
        world.settle().await;
        world.is_whole();
        let before = world.sky.sky().calls;
        for _ in 0..600 {
            world.turn().await;
        }
        asked.push(world.sky.sky().calls - before);
    }
    let [some, twice] = asked[..] else { unreachable!() };
    // What is asked of each now and then, beside its targets, is all that there is more of.
    assert!(twice <= some + 30 * 600 / 300 + 30, "{some} calls for 30 apps, {twice} for 60");
}

#[tokio::test]
async fn what_is_changed_on_one_balancer_is_looked_at_there_and_not_everywhere() {
    let mut world = World::new(30);
    world.limits = Limits { groups: 2, ..Limits::default() };
    world.sky.sky().balancers = (0..30).map(|n| format!("paas-{n:02}")).collect();
    world.restart();
    world.settle().await;
    world.settle().await;
    world.is_whole();
    let names = world.names.values_mut().next().unwrap();
    names.insert("another.example.com".parse().unwrap());
    let before = world.sky.sky().calls;
    for _ in 0..10 {
        world.turn().await;
    }
    world.is_whole();
    let calls = world.sky.sky().calls - before;
    assert!((2..=30).contains(&calls), "{calls} calls for a name of one app of thirty");
}

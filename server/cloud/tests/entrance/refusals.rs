//! Stories of what is refused of one group, each time that it is asked for: no other app feels it.

use model::entrance::{Limits, group_name};

use crate::world::World;

/// Groups of so many apps are refused; more than a turn goes on after.
const REFUSED: u128 = 7;

fn group(world: &World, at: usize, balancer: &str) -> String {
    format!("group/{}", group_name("test", world.plans.apps[at].id, balancer))
}

/// Gives the first app another name, and checks that it leads to the app soon.
async fn is_renamed(world: &mut World, name: &str) {
    let app = world.plans.apps[0].id;
    world.names.get_mut(&app).unwrap().insert(name.parse().unwrap());
    for _ in 0..12 {
        world.turn().await;
    }
    assert_eq!(world.answering(name), 2, "{name} {:?}", world.outcome.alarms);
}

#[tokio::test]
async fn groups_that_are_refused_keep_nobody_elses_rules_and_are_seldom_asked_for() {
    let mut world = World::new(1);
    world.settle().await;
    for n in 2..2 + REFUSED {
        world.add_app(n);
        let group = group(&world, usize::try_from(n).unwrap() - 1, "paas-test");
        world.sky.sky().refused.insert(("create_group", group));
    }
    is_renamed(&mut world, "one.example.org").await;
    world.settle().await;
    is_renamed(&mut world, "two.example.org").await;
    world.settle().await;
    let before = world.sky.sky().changes;
    for _ in 0..300 {
        world.turn().await;
        let says = world.outcome.alarms.iter().filter(|alarm| alarm.says.contains("no target group"));
        assert_eq!(says.count(), usize::try_from(REFUSED).unwrap(), "{:?}", world.outcome.alarms);
    }
    let changes = world.sky.sky().changes - before;
    assert!(changes <= 2 * usize::try_from(REFUSED).unwrap(), "{changes} changes in five minutes");
    world.sky.sky().refused.clear();
    for _ in 0..300 {
        world.turn().await;
    }
    world.settle().await;
    world.is_whole();
}

/// Adds so many apps whose names get no rules.
fn add_apps_without_rules(world: &mut World, count: u128) {
    for n in 2..2 + count {
        world.add_app(n);
        let group = group(world, usize::try_from(n).unwrap() - 1, "paas-test");
        world.sky.sky().refused.insert(("create_rule", group));
    }
}

#[tokio::test]
async fn rules_that_are_refused_keep_nobody_elses_and_are_asked_for_once_a_minute() {
    let mut world = World::new(1);
    world.settle().await;
    add_apps_without_rules(&mut world, REFUSED);
    is_renamed(&mut world, "one.example.org").await;
    world.settle().await;
    let before = world.sky.sky().changes;
    is_renamed(&mut world, "two.example.org").await;
    for _ in 0..288 {
        world.turn().await;
        let says = world.outcome.alarms.iter().filter(|alarm| alarm.says.contains("there is no rule for"));
        assert_eq!(says.count(), usize::try_from(REFUSED).unwrap(), "{:?}", world.outcome.alarms);
    }
    let changes = world.sky.sky().changes - before;
    assert!(changes <= 1 + 6 * usize::try_from(REFUSED).unwrap(), "{changes} changes in five minutes");
    world.sky.sky().refused.clear();
    world.settle().await;
    world.is_whole();
}

#[tokio::test]
async fn however_many_rules_are_refused_others_come_first() {
    let mut world = World::new(1);
    world.settle().await;
    add_apps_without_rules(&mut world, 30);
    for quiet in [false, true] {
        for _ in 0..100 {
            world.sky.sky().pass(if quiet { 9 } else { 0 });
            world.turn().await;
        }
        let app = world.plans.apps[0].id;
        let name = format!("quiet-{quiet}.example.org");
        world.names.get_mut(&app).unwrap().insert(name.parse().unwrap());
        for _ in 0..4 {
            world.sky.sky().pass(if quiet { 9 } else { 0 });
            world.turn().await;
        }
        assert_eq!(world.answering(&name), 2, "{:?}", world.outcome.alarms);
    }
}

#[tokio::test]
async fn a_rule_stays_whose_names_no_other_may_take_over() {
    let mut world = World::new(2);
    world.settle().await;
    let group = group(&world, 1, "paas-test");
    world.sky.sky().refused.insert(("create_rule", group.clone()));
    for (rule, _) in world.sky.sky().rules.values_mut().flatten() {
        // Its number was changed by hand.
        rule.priority += if rule.group.as_ref() == Some(&group) { 30_000 } else { 0 };
    }
    for _ in 0..400 {
        world.turn().await;
        assert_eq!(world.answering("a2.example.com"), 2, "{:?}", world.outcome.alarms);
    }
    world.sky.sky().refused.clear();
    world.settle().await;
    world.is_whole();
}

#[tokio::test]
async fn what_is_changed_by_hand_of_one_app_is_told_while_rules_of_others_are_refused() {
    let mut world = World::new(1);
    world.settle().await;
    add_apps_without_rules(&mut world, 1);
    world.settle().await;
    world.sky.sky().rules.values_mut().for_each(Vec::clear);
    let mut told = Vec::new();
    for _ in 0..70 {
        world.turn().await;
        told.extend(world.outcome.events.iter().map(|notice| notice.says.clone()));
    }
    assert_eq!(told, ["its rules were changed by hand and are put back"]);
    assert_eq!(world.answering("a1.example.com"), 2);
}

#[tokio::test]
async fn how_targets_are_let_go_may_be_refused_and_keeps_nobody_elses_rules() {
    let mut world = World::new(2);
    world.settle().await;
    let group = group(&world, 1, "paas-test");
    world.sky.sky().refused.insert(("set_manners", group));
    world.settings.drain_seconds = 7;
    world.settle().await;
    let [alarm] = &world.outcome.alarms[..] else { panic!("{:?}", world.outcome.alarms) };
    assert!(alarm.about == "a2" && alarm.says.contains("are let go cannot be set"), "{alarm:?}");
    is_renamed(&mut world, "one.example.org").await;
    // What is wanted otherwise is asked for with the next list.
    world.sky.sky().refused.clear();
    world.settings.drain_seconds = 9;
    for _ in 0..65 {
        world.turn().await;
    }
    world.is_whole();
}

#[tokio::test]
async fn a_check_that_is_refused_keeps_nobody_elses_rules() {
    let mut world = World::new(2);
    world.settle().await;
    let group = group(&world, 1, "paas-test");
    world.sky.sky().refused.insert(("set_check", group));
    world.settings.health.path = "/up".to_owned();
    world.settle().await;
    let [alarm] = &world.outcome.alarms[..] else { panic!("{:?}", world.outcome.alarms) };
    assert!(alarm.about == "a2" && alarm.says.contains("its health check cannot be set"), "{alarm:?}");
    is_renamed(&mut world, "one.example.org").await;
    // What is wanted otherwise is asked for at once.
    world.sky.sky().refused.clear();
    world.settings.health.path = "/health".to_owned();
    for _ in 0..12 {
        world.turn().await;
    }
    assert_eq!(world.outcome.alarms, []);
    world.is_whole();
}

#[tokio::test]
async fn a_group_that_cannot_be_removed_keeps_no_rules_and_is_removed_when_it_can_be() {
    let mut world = World::new(2);
    world.settle().await;
    let group = group(&world, 1, "paas-test");
    world.sky.sky().refused.insert(("delete_group", group));
    world.plans.apps.remove(1);
    world.settle().await;
    let [alarm] = &world.outcome.alarms[..] else { panic!("{:?}", world.outcome.alarms) };
    assert!(alarm.says.contains("a group that nobody needs cannot be removed"), "{alarm:?}");
    let before = world.sky.sky().changes;
    is_renamed(&mut world, "one.example.org").await;
    assert_eq!(world.sky.sky().changes - before, 1, "the rule, and nothing else");
    world.sky.sky().refused.clear();
    for _ in 0..300 {
        world.turn().await;
    }
    world.is_whole();
}

#[tokio::test]
async fn an_app_whose_group_is_refused_where_it_goes_is_visited_where_it_was() {
    is_visited_though_where_it_goes_is_refused("create_group").await;
}

#[tokio::test]
async fn an_app_whose_rule_is_refused_where_it_goes_is_visited_where_it_was() {
    is_visited_though_where_it_goes_is_refused("create_rule").await;
}

async fn is_visited_though_where_it_goes_is_refused(call: &'static str) {
    let mut world = World::new(2);
    world.limits = Limits { targets: 10, ..Limits::default() };
    world.sky.sky().balancers.push("paas-further".to_owned());
    world.restart();
    world.settle().await;
    let group = group(&world, 1, "paas-further");
    world.sky.sky().refused.insert((call, group));
    world.scale(1, 4);
    for _ in 0..3 {
        world.settle().await;
        assert_eq!(world.answering("a2.example.com"), 4, "{:?}", world.outcome.alarms);
        // Longer than its visitors would have had to come to know the new place.
        world.sky.sky().pass(4_000);
    }
    world.sky.sky().refused.clear();
    for _ in 0..3 {
        world.settle().await;
        assert_eq!(world.answering("a2.example.com"), 4, "{:?}", world.outcome.alarms);
        world.sky.sky().pass(4_000);
    }
    world.settle().await;
    world.is_whole();
}

//! Stories of a balancer that got another listener: what the platform made at the one before goes, once it is at the new one.

use cloud::entrance::Rule;

use crate::world::World;

const BEFORE: &str = "listener/before";
const IN_USE: &str = "listener/paas-test";

/// Lets all that is at the listener in use have been made at the one before, beside a rule of somebody else.
fn get_another_listener(world: &mut World) -> Rule {
    let now = world.now();
    let mut sky = world.sky.sky();
    let made = sky.rules.remove(IN_USE).unwrap();
    let by_hand = Rule {
        arn: "rule/hand".to_owned(),
        priority: 7,
        hosts: ["a1.example.org".parse().unwrap()].into(),
        group: Some("group/somebodys".to_owned()),
        ours: false,
    };
    sky.rules.insert(BEFORE.to_owned(), made);
    sky.rules.get_mut(BEFORE).unwrap().push((by_hand.clone(), now));
    sky.others = vec![BEFORE.to_owned()];
    by_hand
}

fn rules(world: &World, listener: &str) -> Vec<Rule> {
    let sky = world.sky.sky();
    sky.rules.get(listener).into_iter().flatten().map(|(rule, _)| rule.clone()).collect()
}

#[tokio::test]
async fn what_was_made_at_the_listener_before_goes_once_it_is_at_the_new_one() {
    let mut world = World::new(3);
    world.settle().await;
    let by_hand = get_another_listener(&mut world);
    // An app that goes at the same time leaves no group, either.
    world.plans.apps.pop();
    for _ in 0..700 {
        world.turn().await;
        let gone = rules(&world, BEFORE).len() < 3;
        assert!(!gone || rules(&world, IN_USE).len() >= 2, "{:?}", world.sky.sky().rules);
        assert_eq!((world.answering("a1.example.com"), world.answering("a2.example.com")), (2, 2));
    }
    assert_eq!(rules(&world, BEFORE), [by_hand]);
    world.is_whole();

    let calls = |world: &World| world.sky.sky().calls;
    let before = calls(&world);
    for _ in 0..600 {
        world.turn().await;
    }
    let with = calls(&world) - before;
    world.sky.sky().others.clear();
    for _ in 0..600 {
        world.turn().await;
    }
    assert!(with <= calls(&world) - before - with + 3, "it is listed again and again");
}

#[tokio::test]
async fn what_was_made_at_the_listener_before_goes_though_a_rule_at_the_new_one_is_refused() {
    let mut world = World::new(3);
    world.settle().await;
    let by_hand = get_another_listener(&mut world);
    let group = rules(&world, BEFORE)[2].group.clone().unwrap();
    world.sky.sky().refused.insert(("create_rule", group.clone()));
    for _ in 0..700 {
        world.turn().await;
    }
    let left: Vec<_> = rules(&world, BEFORE).into_iter().filter(|rule| *rule != by_hand).collect();
    assert_eq!(left.iter().map(|rule| rule.group.clone().unwrap()).collect::<Vec<_>>(), [group]);
    assert_eq!((world.answering("a1.example.com"), world.answering("a2.example.com")), (2, 2));
    world.sky.sky().refused.clear();
    for _ in 0..700 {
        world.turn().await;
    }
    assert_eq!(rules(&world, BEFORE), [by_hand]);
    world.is_whole();
}

#[tokio::test]
async fn what_is_the_only_way_to_an_app_stays_where_it_is() {
    let mut world = World::new(2);
    world.settle().await;
    get_another_listener(&mut world);
    let group = rules(&world, BEFORE)[0].group.clone().unwrap();
    {
        let mut sky = world.sky.sky();
        // It is there, and nobody sees it; nor can it be made once more.
        sky.hidden.insert(group.clone());
        sky.refused.insert(("create_group", group.clone()));
    }
    world.restart();
    for _ in 0..700 {
        world.turn().await;
        assert!(rules(&world, BEFORE).iter().any(|rule| rule.group.as_ref() == Some(&group)));
    }
    assert_eq!(rules(&world, BEFORE).len(), 2, "with that of somebody else");
    world.sky.sky().hidden.clear();
    for _ in 0..1_000 {
        world.turn().await;
    }
    assert_eq!(rules(&world, BEFORE).len(), 1);
    world.sky.sky().refused.clear();
    world.settle().await;
    world.is_whole();
}

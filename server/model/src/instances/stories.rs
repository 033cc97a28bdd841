//! Stories of a fleet, told with the toy cloud.

use super::toy::{List, TURN, Toy, settings};
use super::*;
use crate::plan::Standing;
use crate::size::Size;

const ZONES: [&str; 3] = ["a", "b", "c"];

fn calm(max: u32, replicas: usize) -> Toy {
    let mut toy = Toy::new(settings(&ZONES, 0, max));
    toy.want(replicas, Size::Standard1X);
    toy.settle();
    assert_eq!(toy.placed(), replicas);
    toy
}

fn ids(toy: &Toy) -> Vec<InstanceId> {
    toy.real.iter().filter(|(_, real)| !real.ended).map(|(id, _)| id.clone()).collect()
}

fn turns(toy: &mut Toy, n: usize) -> Vec<Action> {
    let mut done = Vec::new();
    for _ in 0..n {
        toy.pass();
        let decision = decide(&toy.view());
        toy.act(&decision);
        done.extend(decision.actions);
    }
    done
}

fn minutes(n: usize) -> usize {
    n * 60 / usize::try_from(TURN.as_secs()).unwrap()
}

#[test]
fn hosts_come_for_replicas_spread_over_zones_and_go_when_fewer_suffice() {
    let mut toy = calm(5, 20);
    assert_eq!(toy.spread(), [1, 1, 1], "20 replicas and a tenth more: three hosts of eight");
    toy.want(50, Size::Standard1X);
    assert_eq!(toy.settle(), [3, 2, 2]);
    toy.want(4, Size::Standard1X);
    assert_eq!(toy.settle().iter().sum::<usize>(), 1);
    toy.want(0, Size::Standard1X);
    assert_eq!(toy.settle(), [0, 0, 0]);
}

#[test]
fn the_fewest_of_a_zone_are_kept_and_the_most_are_a_cap() {
    let mut toy = Toy::new(settings(&ZONES, 1, 2));
    assert_eq!(toy.settle(), [1, 1, 1]);
    toy.want(100, Size::Standard1X);
    assert_eq!(toy.settle(), [2, 2, 2]);
    assert_eq!(toy.placed(), 48);
    assert_eq!(toy.alarms[0].says, "every zone has as many instances as it may; a higher `max` allows more");
}

#[test]
fn of_very_many_orders_a_few_are_asked_for_in_each_turn_and_in_the_end_all_are() {
    let mut toy = Toy::new(settings(&ZONES, 30, 30));
    let asks = |action: &Action| matches!(action, Action::Ask(_));
    let mut asked = Vec::new();
    for _ in 0..minutes(30) {
        asked.push(turns(&mut toy, 1).into_iter().filter(asks).count());
    }
    assert_eq!((asked.iter().max(), asked.iter().sum()), (Some(&20), 90), "{asked:?}");
    assert_eq!(toy.settle(), [30, 30, 30]);
}

#[test]
fn no_more_is_decided_than_is_asked_for_at_once() {
    let mut toy = Toy::new(settings(&ZONES, 20, 60));
    toy.settle();
    toy.settings = settings(&ZONES, 60, 60);
    for _ in 0..minutes(5) {
        turns(&mut toy, 1);
        let unasked = toy.rows.iter().filter(|row| row.instance.asked_at.is_none());
        assert!(unasked.count() <= 20);
        let rows = toy.rows.iter().map(|row| &row.instance);
        let waited = rows.filter_map(|one| Some(one.asked_at?.duration_since(one.decided_at))).max();
        assert!(waited <= Some(TURN), "{waited:?}");
    }
    assert_eq!(toy.settle(), [60, 60, 60]);
}

#[test]
fn one_that_the_cloud_gave_late_has_as_long_to_boot_as_any() {
    let mut toy = Toy::new(settings(&["a"], 1, 2));
    toy.busy = true;
    turns(&mut toy, minutes(12));
    assert!(toy.real.is_empty());
    toy.busy = false;
    assert_eq!((toy.settle(), toy.real.len()), (vec![1], 1));
}

#[test]
fn a_schedule_raises_the_fewest_and_lets_them_go_again() {
    let mut toy = Toy::new(settings(&ZONES, 0, 4));
    toy.now = "2026-11-20T06:00:00Z".parse().unwrap();
    toy.settings.schedules = vec![Schedule::new("weekdays 8-20".parse().unwrap(), "UTC", 2).unwrap()];
    assert_eq!(toy.settle(), [0, 0, 0]);
    toy.now = "2026-11-20T08:00:00Z".parse().unwrap();
    assert_eq!(toy.settle(), [2, 2, 2]);
    toy.now = "2026-11-20T20:00:00Z".parse().unwrap();
    assert_eq!(toy.settle(), [0, 0, 0]);
}

#[test]
fn what_a_pool_lacks_is_taken_from_the_next_and_asked_again_later() {
    let mut toy = Toy::new(settings(&ZONES, 1, 2));
    let pool = |zone: &str, name: &str, lifecycle| Pool {
        zone: zone.to_owned(),
        instance_type: name.to_owned(),
        lifecycle,
    };
    toy.full = ["small", "other"].map(|name| pool("b", name, Lifecycle::Spot)).into();
    toy.full.insert(pool("a", "small", Lifecycle::Spot));
    assert_eq!(toy.settle(), [1, 1, 1]);
    let pools: Vec<_> = toy.real.values().map(|real| real.pool.to_string()).collect();
    assert_eq!(pools, ["small (spot) in c", "other (spot) in a", "small (on-demand) in b"]);
}

#[test]
fn a_spot_notice_drains_at_once_and_another_comes() {
    let mut toy = calm(5, 20);
    let taken = ids(&toy)[0].clone();
    toy.real.get_mut(&taken).unwrap().noticed = Some(toy.now);
    let first = turns(&mut toy, 1);
    assert!(matches!(&first[..], [Action::Drain { cause: Cause::Reclaimed, .. }, ..]), "{first:?}");
    assert_eq!(toy.settle(), [1, 1, 1]);
    assert_eq!(toy.placed(), 20);
}

/// Returns the pools of which instances are asked for.
fn launched(done: &[Action]) -> Vec<Pool> {
    let pool = |action: &Action| match action {
        Action::Launch { pool, .. } => Some(pool.clone()),
        _ => None,
    };
    done.iter().filter_map(pool).collect()
}

fn drained(done: &[Action], why: Cause) -> usize {
    done.iter().filter(|action| matches!(action, Action::Drain { cause, .. } if *cause == why)).count()
}

#[test]
fn what_is_taken_back_is_not_asked_for_again_in_the_same_pool_for_some_minutes() {
    let mut toy = calm(5, 20);
    let taken = ids(&toy)[0].clone();
    let pool = toy.real[&taken].pool.clone();
    assert_eq!(pool.lifecycle, Lifecycle::Spot);
    toy.real.get_mut(&taken).unwrap().noticed = Some(toy.now);
    let done = turns(&mut toy, minutes(5));
    assert!(
        toy.real[&taken].ended && !launched(&done).is_empty() && !launched(&done).contains(&pool),
        "{done:?}"
    );
    assert!(toy.lacks.iter().any(|lack| lack.covers(&pool, toy.now)), "{:?}", toy.lacks);
    turns(&mut toy, minutes(10));
    assert!(!toy.lacks.iter().any(|lack| lack.covers(&pool, toy.now)), "{:?}", toy.lacks);
}

#[test]
fn one_that_may_be_taken_back_is_emptied_and_ended_and_another_comes_from_elsewhere() {
    let mut toy = calm(5, 20);
    let risky = ids(&toy)[0].clone();
    let pool = toy.real[&risky].pool.clone();
    toy.real.get_mut(&risky).unwrap().risky = true;
    let done = turns(&mut toy, minutes(8));
    assert_eq!(
        (drained(&done, Cause::AtRisk), toy.placed(), toy.real[&risky].ended),
        (1, 20, true),
        "{done:?}"
    );
    assert!(!launched(&done).contains(&pool), "{done:?}");
}

#[test]
fn of_many_that_may_be_taken_back_a_third_is_replaced_at_once_and_so_many_an_hour() {
    let mut toy = Toy::new(settings(&ZONES, 3, 5));
    toy.settings.replaced_per_hour = 4;
    toy.settle();
    toy.real.values_mut().for_each(|real| real.risky = true);
    assert_eq!(drained(&turns(&mut toy, 1), Cause::AtRisk), 3, "a third of nine");
    assert_eq!(drained(&turns(&mut toy, minutes(50)), Cause::AtRisk), 1, "four an hour");
    assert!(toy.alarms.iter().any(|alarm| alarm.about == "replacements"), "{:?}", toy.alarms);
    let surely = toy.real.values_mut().find(|real| real.risky && !real.ended).unwrap();
    surely.noticed = Some(toy.now);
    assert_eq!(drained(&turns(&mut toy, 1), Cause::Reclaimed), 1, "what is certain does not wait");
}

#[test]
fn a_cloud_that_recommends_to_replace_whatever_it_gives_has_no_endless_work_done() {
    let mut toy = Toy::new(settings(&ZONES, 2, 4));
    toy.want(20, Size::Standard1X);
    toy.settle();
    let before = toy.real.len();
    for _ in 0..minutes(60) {
        for real in toy.real.values_mut() {
            real.risky |= real.pool.lifecycle == Lifecycle::Spot && real.born < toy.now;
        }
        turns(&mut toy, 1);
        assert_eq!(toy.placed(), 20);
    }
    let replaced = toy.real.len() - before;
    assert!((1..=7).contains(&replaced), "{replaced} came within an hour");
}

#[test]
fn an_answer_that_is_lost_makes_no_second_instance() {
    let mut toy = Toy::new(settings(&ZONES, 1, 2));
    toy.deaf = true;
    turns(&mut toy, minutes(30));
    assert_eq!(toy.real.len(), 3);
    toy.deaf = false;
    assert_eq!((toy.settle(), toy.real.len()), (vec![1, 1, 1], 3));
}

#[test]
fn an_empty_list_is_not_believed_while_agents_answer() {
    let mut toy = calm(5, 20);
    toy.list = List::Empty;
    assert_eq!(turns(&mut toy, minutes(60)), []);
    assert_eq!(toy.alarms[0].about, "trust");
    toy.list = List::True;
    assert_eq!(turns(&mut toy, minutes(30)), []);
}

#[test]
fn while_the_cloud_does_not_say_what_there_is_people_are_told_why() {
    let mut toy = calm(5, 20);
    toy.list = List::Failed;
    turns(&mut toy, minutes(3));
    let says = &toy.alarms[0].says;
    assert!(says.ends_with("which instances there are, so that nothing is begun: rate exceeded"), "{says}");
    let mut new = Toy::new(settings(&ZONES, 1, 2));
    new.list = List::Failed;
    turns(&mut new, 1);
    assert!(new.alarms[0].says.ends_with("nothing is begun: rate exceeded"), "{:?}", new.alarms);
}

#[test]
fn a_fleet_that_is_gone_and_silent_is_believed_to_be_gone() {
    let mut toy = calm(5, 20);
    for real in toy.real.values_mut() {
        real.ended = true;
    }
    assert_eq!(toy.settle(), [1, 1, 1]);
    assert_eq!(toy.placed(), 20);
}

#[test]
fn a_host_that_loses_its_power_is_replaced_and_ended() {
    let mut toy = calm(5, 20);
    let dead = ids(&toy)[1].clone();
    toy.real.get_mut(&dead).unwrap().dead_since = Some(toy.now);
    let done = turns(&mut toy, minutes(3));
    assert!(done.iter().any(|action| matches!(action, Action::Launch { .. })), "{done:?}");
    assert!(!toy.real[&dead].ended, "it may come back");
    assert_eq!(toy.settle(), [1, 1, 1]);
    assert!(toy.real[&dead].ended);
}

#[test]
fn a_zone_that_is_cut_off_gets_nothing_new_until_it_is_back() {
    let mut toy = calm(5, 20);
    toy.dark.insert("b".to_owned());
    let done = turns(&mut toy, minutes(5));
    let zones: Vec<&str> = done
        .iter()
        .filter_map(|action| match action {
            Action::Launch { pool, .. } => Some(pool.zone.as_str()),
            _ => None,
        })
        .collect();
    assert!(!zones.is_empty() && !zones.contains(&"b"), "{zones:?}");
    assert_eq!(toy.placed(), 20);
}

#[test]
fn instances_that_never_join_are_ended_and_soon_nobody_tries_again_there() {
    let mut toy = Toy::new(settings(&["a"], 1, 2));
    toy.duds = u32::MAX;
    toy.settings.replaced_per_hour = 100;
    turns(&mut toy, minutes(60));
    assert!((2..=5).contains(&toy.real.len()), "{}", toy.real.len());
    let alive = ids(&toy).len();
    assert!(alive <= 1, "{alive}");
    toy.duds = 0;
    assert_eq!(toy.settle(), [1]);
}

fn barren(toy: &Toy) -> bool {
    toy.alarms.iter().any(|alarm| alarm.about.starts_with("barren"))
}

#[test]
fn instances_that_end_before_they_join_are_no_reason_to_start_others_for_ever() {
    let mut toy = Toy::new(settings(&["a"], 1, 2));
    toy.stillborn = true;
    let done = turns(&mut toy, minutes(60));
    assert!((2..=6).contains(&toy.real.len()), "{}", toy.real.len());
    assert!(barren(&toy), "{:?}", toy.alarms);
    let told = |action: &Action| match action {
        Action::Forget { cause: Cause::Failed, why, .. } => {
            why.ends_with("ended before a host joined from it: Client.InternalError")
        }
        _ => false,
    };
    assert!(done.iter().any(told), "{done:?}");
    toy.stillborn = false;
    assert_eq!(toy.settle(), [1]);
}

#[test]
fn in_place_of_what_is_out_of_date_nothing_is_started_again_and_again_either() {
    let mut toy = Toy::new(settings(&["a"], 0, 3));
    toy.want(7, Size::Standard1X);
    toy.settle();
    toy.rows.iter_mut().for_each(|row| row.instance.stale = Some("its image is an older one".to_owned()));
    (toy.stillborn, toy.settings.replaced_per_hour) = (true, 100);
    let before = toy.real.len();
    turns(&mut toy, minutes(60));
    assert!((2..=6).contains(&(toy.real.len() - before)), "{} after {before}", toy.real.len());
    assert_eq!(toy.placed(), 7);
    toy.stillborn = false;
    assert_eq!(toy.settle(), [1]);
}

#[test]
fn one_with_a_date_goes_before_those_of_an_older_image() {
    let mut toy = Toy::new(settings(&["a", "b", "c"], 2, 4));
    (toy.settings.replaced_per_hour, toy.settings.headroom_percent) = (1, 100);
    toy.want(6, Size::Standard1X);
    toy.settle();
    let row = toy.rows.iter().rposition(|row| row.instance.pool.zone == "c").unwrap();
    toy.rows.iter_mut().for_each(|row| row.instance.stale = Some("its image is an older one".to_owned()));
    toy.rows[row].instance.due = true;
    let due = toy.rows[row].instance.launch;
    let first = turns(&mut toy, minutes(30)).into_iter().find_map(|action| match action {
        Action::Drain { launch, cause: Cause::Stale, .. } => Some(launch),
        _ => None,
    });
    assert_eq!(first, Some(due));
}

#[test]
fn those_whose_hosts_a_person_removed_are_ended_and_made_up_for_at_once() {
    let mut toy = Toy::new(settings(&["a"], 3, 4));
    toy.settings.replaced_per_hour = 1;
    toy.settle();
    toy.remove(0);
    toy.remove(0);
    let done = turns(&mut toy, 1);
    let ended = |action: &&Action| matches!(action, Action::End { cause: Cause::Removed, .. });
    let launched = |action: &&Action| matches!(action, Action::Launch { .. });
    assert_eq!((done.iter().filter(ended).count(), done.iter().filter(launched).count()), (2, 1), "{done:?}");
    turns(&mut toy, minutes(2));
    assert_eq!((toy.spread(), barren(&toy)), (vec![3], false));
    assert_eq!(toy.settle(), [3]);
}

#[test]
fn one_that_joined_a_moment_ago_and_was_removed_is_no_room_that_comes() {
    let mut toy = Toy::new(settings(&["a"], 0, 4));
    toy.want(4, Size::Standard1X);
    while toy.placed() == 0 {
        turns(&mut toy, 1);
    }
    toy.remove(0);
    let done = turns(&mut toy, 1);
    assert!(done.iter().any(|action| matches!(action, Action::Launch { .. })), "{done:?}");
}

#[test]
fn hosts_that_were_stopped_by_hand_are_replaced_and_say_nothing_of_their_zone() {
    let mut toy = Toy::new(settings(&["a"], 8, 9));
    toy.settle();
    for id in &ids(&toy)[..2] {
        toy.real.get_mut(id).unwrap().stopped = true;
    }
    let done = turns(&mut toy, minutes(5));
    let stopped = |action: &&Action| matches!(action, Action::End { cause: Cause::Stopped, .. });
    assert_eq!(done.iter().filter(stopped).count(), 2, "{done:?}");
    assert_eq!((toy.spread(), barren(&toy)), (vec![8], false), "{:?}", toy.alarms);
}

#[test]
fn a_new_image_is_rolled_out_one_zone_after_the_other_without_a_replica_too_few() {
    let mut toy = calm(3, 40);
    assert_eq!(toy.spread(), [2, 2, 2]);
    toy.settings.replaced_per_hour = 100;
    let old: Vec<_> = toy.rows.iter().map(|row| row.instance.launch).collect();
    for row in &mut toy.rows {
        row.instance.stale = Some("its image is ami-1 and not ami-2".to_owned());
    }
    let mut zones = Vec::new();
    for _ in 0..minutes(120) {
        for action in turns(&mut toy, 1) {
            if let Action::Drain { launch, cause: Cause::Stale, .. } = action {
                zones.push(toy.row(launch).instance.pool.zone.clone());
            }
        }
        assert_eq!(toy.placed(), 40);
    }
    assert_eq!(zones, ["a", "a", "b", "b", "c", "c"]);
    assert!(toy.rows.iter().all(|row| !old.contains(&row.instance.launch)));
}

#[test]
fn what_was_drained_by_hand_stays_and_is_not_ended() {
    let mut toy = calm(5, 4);
    let row = &mut toy.rows[0];
    let launch = row.instance.launch;
    row.instance.host.as_mut().unwrap().standing = Standing::Draining;
    let done = turns(&mut toy, minutes(60));
    assert!(
        !done.iter().any(|action| matches!(action, Action::End { launch: ended, .. } if *ended == launch))
    );
}

fn with_stray(toy: &mut Toy) -> InstanceId {
    with_another_stray(toy, 0)
}

fn with_another_stray(toy: &mut Toy, at: u128) -> InstanceId {
    let mut stray = toy.real.values().next().unwrap().clone();
    stray.launch = LaunchId(uuid::Uuid::from_u128(u128::MAX - at));
    let id: InstanceId = format!("i-0ff{at:x}").parse().unwrap();
    toy.real.insert(id.clone(), stray);
    id
}

#[test]
fn an_instance_that_nobody_ordered_is_ended_after_a_while() {
    let mut toy = calm(5, 4);
    let id = with_stray(&mut toy);
    turns(&mut toy, minutes(14));
    assert!(!toy.real[&id].ended);
    turns(&mut toy, minutes(3));
    assert!(toy.real[&id].ended);
}

#[test]
fn of_many_that_nobody_ordered_so_many_are_ended_an_hour_as_are_replaced() {
    let mut toy = calm(5, 4);
    toy.settings.replaced_per_hour = 3;
    let strays: Vec<InstanceId> = (0..10).map(|at| with_another_stray(&mut toy, at)).collect();
    let ended = |toy: &Toy| strays.iter().filter(|id| toy.real[*id].ended).count();
    turns(&mut toy, minutes(16));
    assert_eq!(ended(&toy), 3);
    assert!(toy.alarms.iter().any(|alarm| alarm.about == "replacements"), "{:?}", toy.alarms);
    turns(&mut toy, minutes(55));
    assert_eq!(ended(&toy), 3);
    turns(&mut toy, minutes(10));
    assert_eq!(ended(&toy), 6);
}

#[test]
fn an_instance_that_nobody_ordered_stays_while_it_has_visitors() {
    let mut toy = calm(5, 4);
    let id = with_stray(&mut toy);
    toy.visited.insert(id.clone());
    turns(&mut toy, minutes(60));
    assert!(!toy.real[&id].ended);
    assert!(toy.alarms[0].says.ends_with("when all replicas have a place and visitors are led to them"));
    toy.visited.clear();
    turns(&mut toy, minutes(1));
    assert!(toy.real[&id].ended);
}

#[test]
fn an_instance_that_nobody_ordered_stays_while_replicas_wait_that_it_may_run() {
    let mut toy = calm(1, 4);
    let id = with_stray(&mut toy);
    toy.want(30, Size::Standard1X);
    turns(&mut toy, minutes(60));
    assert!(toy.placed() < 30 && !toy.real[&id].ended);
    toy.want(4, Size::Standard1X);
    turns(&mut toy, minutes(1));
    assert!(toy.real[&id].ended);
}

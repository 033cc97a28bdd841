//! Stories of hosts that drain, and of replicas for which there is no room.

use super::toy::Toy;
use super::*;
use crate::size::Size;

fn room_for(toy: &mut Toy, replicas: u64) {
    for host in &mut toy.world.hosts {
        host.memory_mb = Some(replicas * Size::default().memory_mb());
    }
}

#[test]
fn without_room_a_replica_waits_and_what_serves_goes_on() {
    let mut toy = Toy::new(1, 1);
    toy.deploy(1).unwrap();
    room_for(&mut toy, 2);
    toy.scale(4);
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
    let waiting = plan(&toy.world, toy.now).waiting;
    assert_eq!(waiting.iter().map(|waiting| waiting.number).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(waiting[0].reason, "no host has 512 MB of memory left for it, the most is 0 MB");
    room_for(&mut toy, 3);
    toy.settle();
    assert_eq!(toy.names().len(), 3);
}

#[test]
fn a_rollout_without_room_waits_until_its_deadline_and_says_what_helps() {
    let mut toy = Toy::new(1, 2);
    toy.deploy(1).unwrap();
    room_for(&mut toy, 3);
    let reason = toy.deploy(2).unwrap_err();
    assert_eq!(
        reason,
        "there was no room for web in time: no host has 512 MB of memory left for it, the most is 0 MB; add a host, \
         scale something down, or choose a smaller size"
    );
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v1", "web.2 v1"]);
    room_for(&mut toy, 4);
    toy.deploy(3).unwrap();
    toy.settle();
    assert_eq!(toy.names(), ["web.1 v3", "web.2 v3"]);
}

#[test]
fn what_drains_leaves_when_others_answer_elsewhere_and_stays_when_there_is_no_room() {
    let mut toy = Toy::new(2, 4);
    toy.deploy(1).unwrap();
    room_for(&mut toy, 3);
    toy.world.hosts[0].standing = Standing::Draining;
    toy.settle();
    // One place was left: of two only one could leave.
    assert_eq!(toy.spread(), [1, 3]);
    assert_eq!(toy.healthy(), 4);
    assert_eq!(plan(&toy.world, toy.now).waiting.len(), 1);
    room_for(&mut toy, 4);
    toy.settle();
    assert_eq!(toy.spread(), [0, 4]);
    toy.world.hosts[0].standing = Standing::Ready;
    toy.settle();
    assert_eq!(toy.spread(), [0, 4], "nothing moves without need");
}

#[test]
fn a_host_that_is_silent_keeps_its_replicas_and_gets_no_others() {
    let mut toy = Toy::new(2, 2);
    toy.deploy(1).unwrap();
    toy.world.hosts[0].standing = Standing::Silent;
    toy.scale(6);
    toy.settle();
    assert_eq!(toy.spread(), [1, 5]);
}

#[test]
fn a_one_off_goes_where_the_load_is_least_and_not_where_nothing_new_may_go() {
    let mut toy = Toy::new(3, 0);
    room_for(&mut toy, 2);
    toy.world.hosts[2].standing = Standing::Draining;
    let ids: Vec<HostId> = toy.world.hosts.iter().map(|host| host.id).collect();
    let small = Size::default();
    let place = |claims: &[(HostId, Size)]| place_one(&toy.world.hosts, claims, small);
    assert_eq!(place(&[]), Ok(ids[0]));
    assert_eq!(place(&[(ids[0], small)]), Ok(ids[1]));
    let full = [(ids[0], Size::Standard2X), (ids[1], Size::Standard2X)];
    assert_eq!(place(&full).unwrap_err(), "no host has 512 MB of memory left for it, the most is 0 MB");
}

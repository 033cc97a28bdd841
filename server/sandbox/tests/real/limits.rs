//! Limits that hold, and counts that tell.

use std::time::Duration;

use sandbox::{Cgroup, Controller};

use crate::world::{World, bash, eventually};

/// A group that goes with the test.
struct Group(Cgroup);

impl Group {
    /// Returns nothing, and says so, where the host does not offer the controller.
    fn new(world: &World, name: &str, controller: Controller) -> Option<Self> {
        if !world.host.cgroups.has(controller) {
            assert!(world.host.cgroups.why_not.is_some(), "a missing controller is explained");
            return None;
        }
        let name = format!("test-{}-{name}", std::process::id());
        Some(Self(Cgroup::named(&world.host.cgroups, &name).unwrap()))
    }

    fn name(&self) -> Option<String> {
        Some(self.0.name().to_owned())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.remove().unwrap();
        self.0.remove().unwrap();
    }
}

#[test]
fn a_program_that_takes_too_much_memory_is_killed_and_counted() {
    let world = World::new();
    let Some(group) = Group::new(&world, "memory", Controller::Memory) else { return };
    let mut sandbox = bash("tail /dev/zero; echo status $?");
    sandbox.cgroup = group.name();
    sandbox.limits.memory_bytes = Some(32 << 20);

    let text = world.run(&sandbox).text();

    assert!(text.contains("status 137"), "{text}");
    assert_eq!(group.0.usage().oom_kills, Some(1));
}

#[test]
fn files_in_tmp_count_as_memory() {
    let world = World::new();
    let Some(group) = Group::new(&world, "tmp", Controller::Memory) else { return };
    let mut sandbox = bash("head -c 100000000 /dev/zero >/tmp/x; echo status $?");
    sandbox.cgroup = group.name();
    sandbox.limits.memory_bytes = Some(32 << 20);
    let ended = world.run(&sandbox);
    assert!(!ended.text().contains("status 0"), "{}", ended.text());
}

#[test]
fn a_fork_bomb_stops_at_the_limit_and_is_cleared_away() {
    let world = World::new();
    let Some(group) = Group::new(&world, "bomb", Controller::Pids) else { return };
    let mut sandbox = bash("bomb() { bomb | bomb & bomb; }; bomb");
    sandbox.cgroup = group.name();
    sandbox.limits.pids = Some(60);
    let running = world.spawn(&sandbox);

    eventually("the bomb reaches its limit", || group.0.usage().pids == Some(60));
    assert_eq!(world.bash("echo fine").text(), "fine\n");

    group.0.kill().unwrap();
    assert!(group.0.pids().is_empty());
    drop(running);
}

#[test]
fn a_busy_program_gets_its_share_of_the_processor() {
    let world = World::new();
    let Some(group) = Group::new(&world, "cpu", Controller::Cpu) else { return };
    let mut sandbox = bash("timeout 1 bash -c 'while :; do :; done'");
    sandbox.cgroup = group.name();
    sandbox.limits.cpu_percent = Some(20);

    world.run(&sandbox);

    // 200 ms in one second, and a period and the start on top.
    let cpu = group.0.usage().cpu.unwrap();
    assert!(cpu > Duration::from_millis(50) && cpu < Duration::from_millis(500), "{cpu:?}");
}

#[test]
fn all_processes_of_a_sandbox_are_in_its_group() {
    let world = World::new();
    let Some(group) = Group::new(&world, "members", Controller::Memory) else { return };
    let mut sandbox = bash("sleep 1000 & echo ready; wait");
    sandbox.cgroup = group.name();
    let mut running = world.spawn(&sandbox);
    running.read_until("ready");

    let pids = group.0.pids();
    let inside = sandbox::descendants(running.pid());
    assert!(pids.contains(&running.pid()));
    assert!(inside.len() >= 3 && inside.iter().all(|pid| pids.contains(pid)), "{inside:?} {pids:?}");
    assert!(Cgroup::all(&world.host.cgroups).contains(&group.name().unwrap()));
}

#[test]
fn open_files_and_file_sizes_are_limited() {
    let mut sandbox =
        bash("ulimit -n; ulimit -Hn; ulimit -c; head -c 5000 /dev/zero >/tmp/x; stat -c %s /tmp/x");
    sandbox.limits.open_files = 99;
    sandbox.limits.file_bytes = Some(1024);
    let text = World::new().run(&sandbox).text();
    assert!(text.starts_with("99\n99\n0\n") && text.ends_with("1024\n"), "{text}");
}

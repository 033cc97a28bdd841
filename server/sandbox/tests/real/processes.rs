//! Finding, signalling and ending what runs in a sandbox.

use sandbox::{Signal, check, descendants, init_of, signal_all};

use crate::world::{World, bash, eventually, identity};

#[test]
fn a_signal_reaches_the_shell_and_its_children() {
    let child = "trap 'echo child; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let script = format!(r#"trap 'echo shell' TERM; bash -c "{child}" & wait; wait; echo over"#);
    let world = World::new();
    let mut running = world.spawn(&bash(&script));
    running.read_until("ready");

    let init = init_of(running.pid()).unwrap();
    assert!(signal_all(init, Signal::TERM) >= 2);

    let text = running.read_until("over");
    assert!(text.contains("shell") && text.contains("child"), "{text}");
    assert!(running.child.wait().unwrap().success());
    assert_eq!(signal_all(init, Signal::TERM), 0);
}

#[test]
fn killing_the_outer_process_ends_everything_inside() {
    let world = World::new();
    let mut running = world.spawn(&bash("setsid sleep 1000 & echo ready; trap '' TERM; wait"));
    running.read_until("ready");
    let inside = descendants(running.pid());
    assert!(inside.len() >= 3, "{inside:?}");

    running.child.kill().unwrap();
    running.child.wait().unwrap();

    eventually("all are gone", || {
        inside.iter().all(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            // A zombie waits for the host's process 1 to notice.
            stat.map_or(true, |stat| stat.contains(") Z "))
        })
    });
}

#[test]
fn a_process_that_is_gone_has_no_descendants() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = sandbox::Pid::from_child(&child);
    child.wait().unwrap();
    assert!(descendants(pid).is_empty() && init_of(pid).is_none());
}

#[test]
fn a_host_where_sandboxes_work_passes_the_check() {
    check(&World::new().host, identity()).unwrap();
}

#[test]
fn a_bubblewrap_that_fails_is_told_in_its_words() {
    let mut world = World::new();
    world.host.etc.push("/etc/nowhere".into());
    let error = check(&world.host, identity()).unwrap_err().to_string();
    assert!(error.contains("Can't find source path /etc/nowhere"), "{error}");
}

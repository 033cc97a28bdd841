//! The processes of a container, as the host sees them.

use std::net::SocketAddr;

use bollard::models::ContainerInspectResponse;
use sandbox::{Pid, Signal};

/// Sends a signal to all processes of a container but its first, as the sandbox does; returns whether there were any that
/// this host sees.
pub(super) fn signal(container: &ContainerInspectResponse, signal: Signal) -> bool {
    init(container).is_some_and(|init| sandbox::signal_all(init, signal) > 0)
}

/// Returns where the processes of a container listen. Blocks.
pub(super) fn listening(container: &ContainerInspectResponse) -> Option<Vec<SocketAddr>> {
    let init = init(container)?;
    let pids: Vec<_> = sandbox::descendants(init).iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    agent::listeners_of(&pids)
}

/// Returns the first process of a container that runs, if it is certainly that.
fn init(container: &ContainerInspectResponse) -> Option<Pid> {
    let pid =
        container.state.as_ref()?.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)?;
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).ok()?;
    // Its number may have been given to another process since the daemon said it.
    let ours = groups.contains(container.id.as_deref().filter(|id| !id.is_empty())?);
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let apart = namespace(&pid.as_raw_nonzero().to_string())? != namespace("self")?;
    (ours && apart).then_some(pid)
}

//! Finds and signals the processes of a running sandbox.
//!
//! A sandbox is known by the process the caller spawned (bubblewrap outside). Its child is process 1
//! inside, which ignores most signals; the program and its children descend from that.

use std::{collections::BTreeSet, ffi::OsString, fs, io};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// How often the tree is read again for processes that were forked meanwhile.
const ROUNDS: usize = 5;

/// Returns all descendants of a process, parents before children. Those of a process that is gone are
/// none.
pub fn descendants(pid: Pid) -> Vec<Pid> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(children(parent));
        next += 1;
    }
    found
}

/// Returns process 1 of a sandbox by the process that was spawned, once it exists.
pub fn init_of(spawned: Pid) -> Option<Pid> {
    let child = children(spawned).into_iter().next()?;
    // Before bubblewrap has started, a child would be something else.
    (namespace(child)? != namespace(spawned)?).then_some(child)
}

/// Sends a signal to every process in a sandbox but its process 1; returns to how many.
///
/// Processes forked meanwhile get it too, within a bound. A process id that was given to a new process
/// between finding and signalling is left alone: it is not in the sandbox's pid namespace.
pub fn signal_all(init: Pid, signal: Signal) -> usize {
    let Some(inside) = namespace(init) else { return 0 };
    let mut signalled = BTreeSet::new();
    for _ in 0..ROUNDS {
        let fresh: Vec<_> =
            descendants(init).into_iter().filter(|pid| signalled.insert(pid.as_raw_nonzero())).collect();
        if fresh.is_empty() {
            break;
        }
        for pid in fresh {
            signal_one(pid, signal, &inside);
        }
    }
    signalled.len()
}

fn signal_one(pid: Pid, signal: Signal, inside: &OsString) {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) if namespace(pid).as_ref() == Some(inside) => {
            // It may have ended just now, which is what a signal is for.
            let _ = pidfd_send_signal(handle, signal);
        }
        Ok(_) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(%error, "cannot signal process {}", pid.as_raw_nonzero()),
    }
}

fn namespace(pid: Pid) -> Option<OsString> {
    fs::read_link(format!("/proc/{}/ns/pid", pid.as_raw_nonzero())).ok().map(Into::into)
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of_task =
        |task: io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("children")).ok();
    tasks
        .filter_map(of_task)
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
        })
        .collect()
}

//! Which process a process id stands for: ids are reused, id and start time together are not.

use std::fs;

use rustix::process::Pid;

/// Returns when a process started, in the kernel's ticks since boot (field 22 of `proc_pid_stat(5)`).
pub(crate) fn start_ticks(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name may hold spaces and parentheses; the fields after it begin with the third.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_start_time() {
        let own = start_ticks(rustix::process::getpid());
        assert!(own.is_some_and(|ticks| ticks > 0));
        assert_eq!(own, start_ticks(rustix::process::getpid()));
    }
}

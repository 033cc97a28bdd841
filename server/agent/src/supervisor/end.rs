//! Decides what the status of a sandbox says about the end of its program.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use model::exit::ExitCause;

/// What a shell and bubblewrap add to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;
/// The signal that the kernel ends a process with for want of memory.
const KILL: i32 = 9;

/// Returns why the program ended, given its status, if it could be had, and the limit if the kernel enforced it.
pub(crate) fn cause(status: Option<ExitStatus>, over_memory_mb: Option<u64>) -> ExitCause {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => cause_of(code, over_memory_mb),
        Some((None, Some(signal))) => or_memory(ExitCause::Signal(signal), over_memory_mb),
        Some((None, None)) | None => ExitCause::Lost,
    }
}

/// Returns why a program ended by the status of the shell or first process around it.
#[must_use]
pub fn cause_of(code: i32, over_memory_mb: Option<u64>) -> ExitCause {
    // Real-time signals end nobody by chance; a program that returns such a status means the number.
    let signalled = (SIGNALLED + 1..=SIGNALLED + 31).contains(&code);
    let cause = if signalled { ExitCause::Signal(code - SIGNALLED) } else { ExitCause::Code(code) };
    or_memory(cause, over_memory_mb)
}

fn or_memory(cause: ExitCause, over_memory_mb: Option<u64>) -> ExitCause {
    match (cause, over_memory_mb) {
        (ExitCause::Signal(KILL), Some(limit)) => ExitCause::OutOfMemory(limit),
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn a_status_over_128_is_a_signal() {
        assert_eq!(cause(exited(1), None), ExitCause::Code(1));
        assert_eq!(cause(exited(143), None), ExitCause::Signal(15));
        assert_eq!(cause(exited(255), None), ExitCause::Code(255));
        assert_eq!(cause(Some(ExitStatus::from_raw(9)), None), ExitCause::Signal(9));
    }

    #[test]
    fn a_kill_is_told_from_a_kill_for_memory() {
        assert_eq!(cause(exited(137), None), ExitCause::Signal(9));
        assert_eq!(cause(exited(137), Some(512)), ExitCause::OutOfMemory(512));
        assert_eq!(cause(exited(1), Some(512)), ExitCause::Code(1));
    }
}

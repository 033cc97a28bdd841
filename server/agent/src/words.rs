//! What is said in an app's log about its replicas. The words are Heroku's where it has some:
//! <https://devcenter.heroku.com/articles/error-codes>.

use jiff::SignedDuration;
use model::exit::{Exit, ExitCause};
use model::health::ProbeFailure;
use model::replica::{ReplicaSpec, Wish};

const SIGKILL: i32 = 9;

pub(crate) fn starting(spec: &ReplicaSpec) -> String {
    format!("Starting process with command `{}`", spec.command)
}

pub(crate) fn up(ends: u32) -> String {
    let before = if ends == 0 { "starting" } else { "crashed" };
    format!("State changed from {before} to up")
}

pub(crate) fn unresponsive(failure: Option<&ProbeFailure>) -> String {
    let why = failure.map_or_else(String::new, |failure| format!(": it {failure}"));
    format!("State changed from up to unresponsive{why}")
}

pub(crate) const RESPONSIVE: &str = "State changed from unresponsive to up";

pub(crate) const STOPPING: &str = "Stopping all processes with SIGTERM";

pub(crate) fn boot_timeout(spec: &ReplicaSpec, failure: Option<&ProbeFailure>) -> String {
    let why = failure.map_or_else(String::new, |failure| format!(": it {failure}"));
    format!("Error R10 (Boot timeout) -> not healthy within {} s of its start{why}", spec.health.boot_seconds)
}

pub(crate) fn not_started(reason: &str, pause: Option<SignedDuration>) -> String {
    let again = pause.map_or_else(String::new, |pause| format!("; next attempt in {} s", pause.as_secs()));
    format!("Cannot start: {reason}{again}")
}

/// Returns the lines about the end of a run that nobody asked for.
pub(crate) fn ended(wish: Option<Wish>, exit: &Exit, ends: u32, pause: SignedDuration) -> Vec<String> {
    let process = format!("Process {}", exit.cause);
    match wish {
        Some(Wish::Run) => {
            let again = pause.as_secs();
            let first = (ends == 1).then(|| "State changed from up to crashed".to_owned());
            let line = match ends {
                1 => format!("{process}; it is started again in {again} s"),
                _ => format!("{process}, {ends} times in a row; it is started again in {again} s"),
            };
            first.into_iter().chain([line]).collect()
        }
        _ => vec!["State changed from up to complete".to_owned(), process],
    }
}

/// Returns the lines about the end of a run that was told to end.
pub(crate) fn stopped(exit: &Exit, killed_after: Option<u32>) -> Vec<String> {
    let late = killed_after.map(|seconds| {
        format!(
            "Error R12 (Exit timeout) -> at least one process did not exit within {seconds} s of SIGTERM; \
             it was ended with SIGKILL"
        )
    });
    let process = format!("Process {}", exit.cause);
    late.into_iter().chain([process, "State changed from up to down".to_owned()]).collect()
}

/// Tells whether a run that was told to end had to be killed.
pub(crate) fn was_killed(exit: &Exit) -> bool {
    exit.cause == ExitCause::Signal(SIGKILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(cause: ExitCause) -> Exit {
        Exit { cause, at: jiff::Timestamp::UNIX_EPOCH, last_lines: Vec::new() }
    }

    #[test]
    fn a_crash_loop_takes_one_line_each_time() {
        let pause = SignedDuration::from_secs(8);
        let lines = ended(Some(Wish::Run), &exit(ExitCause::Code(1)), 4, pause);
        assert_eq!(lines, ["Process exited with status 1, 4 times in a row; it is started again in 8 s"]);
        assert_eq!(ended(Some(Wish::Run), &exit(ExitCause::Code(1)), 1, pause).len(), 2);
    }

    #[test]
    fn a_process_that_ignores_its_end_is_named_as_herokus() {
        let lines = stopped(&exit(ExitCause::Signal(9)), Some(30));
        assert!(lines[0].starts_with("Error R12 (Exit timeout)") && lines[0].contains("30 s"));
        assert_eq!(lines[1], "Process was ended by SIGKILL");
    }
}

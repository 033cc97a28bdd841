//! What is said in an app's log about its replicas. The words are Heroku's where it has some:
//! <https://devcenter.heroku.com/articles/error-codes>.

use jiff::SignedDuration;
use model::exit::{Exit, ExitCause};
use model::health::ProbeFailure;
use model::replica::{ReplicaSpec, Wish};
use model::wording;

const SIGKILL: i32 = 9;

pub(crate) fn starting(spec: &ReplicaSpec) -> String {
    format!("Starting process with command `{}`", spec.command)
}

/// After this many ends in a row it is a crash loop, and that it came up once more is no news.
const LOOP: u32 = 2;

/// Returns the line about a run that became healthy; none within a crash loop.
pub(crate) fn up(ends: u32) -> Option<String> {
    let before = if ends == 0 { "starting" } else { "crashed" };
    (ends < LOOP).then(|| format!("State changed from {before} to up"))
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

/// Returns the lines about the end of a run that nobody asked for. A crash loop is reported once.
pub(crate) fn ended(
    wish: Option<Wish>,
    (exit, before): (&Exit, Option<ExitCause>),
    ends: u32,
    pause: SignedDuration,
) -> Vec<String> {
    let process = format!("Process {}", exit.cause);
    let Some(Wish::Run) = wish else { return vec!["State changed from up to complete".to_owned(), process] };
    let again = pause.as_secs();
    match ends {
        0 | 1 => {
            let last = exit.last_lines.last().map(|line| format!("; its last line was: {line}"));
            let last = last.unwrap_or_default();
            vec![
                "State changed from up to crashed".to_owned(),
                format!("{process}{last}; it is started again in {again} s"),
            ]
        }
        2 => vec![format!(
            "{process}, 2 times in a row; it is started again in {again} s, then after pauses that grow to 5 min. More of \
             the same is not repeated here; `paasctl ps` counts it"
        )],
        _ if before == Some(exit.cause) => Vec::new(),
        _ => vec![format!("{process}, {ends} times in a row; it is started again in {again} s")],
    }
}

/// Returns what is said of a process that was ended for its memory, of which files took a good part when it was measured.
pub(crate) fn files_in_memory(cause: ExitCause, files: u64) -> Option<String> {
    let ExitCause::OutOfMemory(limit_mb) = cause else { return None };
    let told = files >= (limit_mb << 20) / 8;
    told.then(|| {
        format!(
            "Files in /tmp, /var/tmp and /dev/shm took {} of that memory when it was last measured; large ones belong \
             into /app",
            wording::bytes(files)
        )
    })
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
    fn a_crash_loop_is_reported_once_until_it_ends_in_another_way() {
        let say = |code, before, ends| {
            let exit = Exit { last_lines: vec!["boom".to_owned()], ..exit(ExitCause::Code(code)) };
            ended(Some(Wish::Run), (&exit, before), ends, SignedDuration::from_secs(1 << (ends - 1)))
        };
        let same = Some(ExitCause::Code(1));
        let first = "Process exited with status 1; its last line was: boom; it is started again in 1 s";
        assert_eq!(say(1, None, 1), ["State changed from up to crashed", first]);
        assert!(
            say(1, same, 2)[0]
                .starts_with("Process exited with status 1, 2 times in a row; it is started again in 2 s")
        );
        assert_eq!((3..9).flat_map(|ends| say(1, same, ends)).count(), 0);
        assert_eq!(
            say(2, same, 4),
            ["Process exited with status 2, 4 times in a row; it is started again in 8 s"]
        );
        assert_eq!((up(1).is_some(), up(2)), (true, None));
    }

    #[test]
    fn files_in_memory_are_named_when_memory_was_the_end_and_they_took_much_of_it() {
        let (end, much) = (ExitCause::OutOfMemory(512), 400 << 20);
        let told = files_in_memory(end, much).unwrap();
        assert!(
            told.starts_with("Files in /tmp, /var/tmp and /dev/shm took 419.4 MB of that memory"),
            "{told}"
        );
        assert_eq!(
            (files_in_memory(end, 1 << 20), files_in_memory(ExitCause::Signal(9), much)),
            (None, None)
        );
    }

    #[test]
    fn a_process_that_ignores_its_end_is_named_as_herokus() {
        let lines = stopped(&exit(ExitCause::Signal(9)), Some(30));
        assert!(lines[0].starts_with("Error R12 (Exit timeout)") && lines[0].contains("30 s"));
        assert_eq!(lines[1], "Process was ended by SIGKILL");
    }
}

//! Runs a program to its end or to a time limit.

use std::{
    fs::File,
    io::{Read, Seek},
    process::{Child, Command},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::SlugError;

/// The most that is kept of what a program says about its failure, in bytes.
const LAST_WORDS: usize = 2000;

/// What a program left.
pub(crate) struct Finished {
    /// Its exit code; nothing if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output, from the beginning.
    pub(crate) stdout: File,
    /// The end of its standard error.
    pub(crate) said: String,
}

impl Finished {
    /// Returns its output if it succeeded.
    pub(crate) fn success(self, program: &'static str) -> Result<File, SlugError> {
        match self.code {
            Some(0) => Ok(self.stdout),
            _ => Err(SlugError::Program { program, said: self.said }),
        }
    }
}

/// Runs a program and waits for it. Killed and reaped when it takes too long. What it reads is the caller's to say.
pub(crate) fn run(
    mut command: Command,
    program: &'static str,
    within: Duration,
) -> Result<Finished, SlugError> {
    let failed = |verb| SlugError::file::<std::io::Error>(verb, program);
    // Files, because nobody reads while it runs.
    let mut stdout = tempfile::tempfile().map_err(failed("keep the output of"))?;
    let mut stderr = tempfile::tempfile().map_err(failed("keep the output of"))?;
    command.stdout(stdout.try_clone().map_err(failed("keep the output of"))?);
    command.stderr(stderr.try_clone().map_err(failed("keep the output of"))?);
    let mut child = command.spawn().map_err(failed("start"))?;
    let ended = ends_within(&child, within);
    if !matches!(ended, Ok(true)) {
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed("wait for"))?;
    if !ended.map_err(failed("wait for"))? {
        return Err(SlugError::TooSlow { program, within });
    }
    stdout.rewind().map_err(failed("read the output of"))?;
    let said = last_words(&mut stderr).map_err(failed("read the output of"))?;
    Ok(Finished { code: status.code(), stdout, said })
}

/// Waits without taking the exit status.
fn ends_within(child: &Child, within: Duration) -> std::io::Result<bool> {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let within = Timespec::try_from(within).map_err(std::io::Error::other)?;
    Ok(poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&within))? > 0)
}

fn last_words(stderr: &mut File) -> std::io::Result<String> {
    stderr.rewind()?;
    let mut all = Vec::new();
    stderr.take(1 << 20).read_to_end(&mut all)?;
    let start = all.len().saturating_sub(LAST_WORDS);
    Ok(String::from_utf8_lossy(&all[start..]).trim().replace('\n', "; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let error = run(shell("exec sleep 1000"), "sleep", Duration::from_millis(50)).err().unwrap();
        assert!(matches!(error, SlugError::TooSlow { .. }));
    }

    #[test]
    fn a_program_that_fails_is_told_in_its_last_words() {
        let finished =
            run(shell("echo no >&2; echo room >&2; exit 3"), "sh", Duration::from_secs(10)).unwrap();
        assert_eq!(finished.success("sh").unwrap_err().to_string(), "sh failed: no; room");
    }

    #[test]
    fn output_is_kept_whole() {
        let script = "head -c 300000 /dev/zero";
        let mut output =
            run(shell(script), "head", Duration::from_secs(10)).unwrap().success("head").unwrap();
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 300_000);
    }
}

//! Programs that this one starts. Those that are run to their end are bounded in time, and gone when nobody waits for them any more.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Returns the file of this program, also when it was removed since.
///
/// # Errors
/// The system does not say which it is.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(if program.exists() { program } else { PathBuf::from("/proc/self/exe") })
}

/// Returns what a command printed that went well within a time.
///
/// # Errors
/// It did not; the last line that it said is why.
pub(crate) async fn output(mut command: Command, within: Duration) -> anyhow::Result<Vec<u8>> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(within, command.output()).await;
    let output = ended.with_context(|| format!("it did not end within {} s", within.as_secs()))??;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let last = model::wording::plain(last.trim_start_matches("error: "), 500);
        bail!("{}", if last.is_empty() { output.status.to_string() } else { last });
    }
    Ok(output.stdout)
}

//! Programs that are run to their end: bounded in time, gone when nobody waits for them any more.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

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

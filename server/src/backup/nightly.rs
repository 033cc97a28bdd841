//! A backup each night, made by the server that leads, in a process of its own: it takes as much as it takes, and serving goes on.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::civil::{Time, time};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use slug::BlobPlace;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Depot;
use super::depot::time_of;
use crate::child;
use crate::platform::Platform;

/// When, in UTC.
const AT: Time = time(3, 30, 0, 0);

/// How many of them are kept.
const KEPT: &str = "14";

/// How often it is looked whether it is time, and how long is waited after one that failed.
const LOOK: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(3600);

/// How long one may take.
const WITHIN: Duration = Duration::from_secs(6 * 3600);

/// Where it is noted how the last one went.
const FACT: &str = "nightly-backup";

/// How the last one went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// Where it is, if it was made.
    pub(crate) file: Option<String>,
    /// What is not as it should be in it.
    pub(crate) warnings: Vec<String>,
    /// Why there is none.
    pub(crate) failure: Option<String>,
}

/// Makes them until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let Some(place) = &platform.options.backups else { return stop.cancelled().await };
    let nights = async {
        loop {
            platform.leadership.led().await;
            let looked = look(&platform, place).await;
            if let Err(error) = &looked {
                warn!("the nightly backup is tried again in an hour: {error:#}");
                let (at, failure) = (Timestamp::now(), Some(format!("{error:#}")));
                note(&platform, Last { at, failure, file: None, warnings: Vec::new() }).await;
            }
            tokio::time::sleep(if looked.is_ok() { LOOK } else { AGAIN }).await;
        }
    };
    stop.run_until_cancelled(nights).await;
}

/// Returns how the last one went.
///
/// # Errors
/// A database that fails.
pub(crate) async fn last(db: &mut store::Db) -> Result<Option<Last>, store::Error> {
    let fact = store::find_fact(db, FACT).await?;
    Ok(fact.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Makes one if it is time.
async fn look(platform: &Platform, place: &BlobPlace) -> anyhow::Result<()> {
    let (depot, named) = Depot::open(place)?;
    if named.is_some() {
        anyhow::bail!("--backups {place} is neither a directory that is there nor a prefix of a bucket");
    }
    let made = depot.names().await?.into_iter().filter_map(|name| time_of(&name)).collect::<Vec<_>>();
    if !is_due(&made, Timestamp::now()) {
        return Ok(());
    }
    let told = child::output(command(place)?, WITHIN).await?;
    let told: serde_json::Value = serde_json::from_slice(&told)?;
    let last = Last {
        at: Timestamp::now(),
        file: told["file"].as_str().map(str::to_owned),
        warnings: serde_json::from_value(told["warnings"].clone()).unwrap_or_default(),
        failure: None,
    };
    info!(file = last.file, warnings = last.warnings.len(), "the nightly backup is made");
    note(platform, last).await;
    Ok(())
}

/// Returns `paasd backup` with the options of this server.
fn command(place: &BlobPlace) -> anyhow::Result<Command> {
    let mut command = Command::new(child::own_program().context("there is no program of this server")?);
    command.args(["backup", "--json", "--quiet", "--keep", KEPT, "--to"]).arg(place.to_string());
    command.args(options(std::env::args_os()));
    Ok(command)
}

/// Returns the options of `paasd serve` that count for its backups, too.
fn options(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.skip(2).filter(|argument| argument != "--replace")
}

/// Tells whether none was made since the last night. What bears the time of a clock that was wrong counts for nothing.
fn is_due(made: &[Timestamp], now: Timestamp) -> bool {
    let today = now.to_zoned(TimeZone::UTC).date().to_datetime(AT).to_zoned(TimeZone::UTC);
    let Ok(today) = today.map(|today| today.timestamp()) else { return false };
    let night = if today <= now { today } else { today - SignedDuration::from_hours(24) };
    !made.iter().any(|made| (night..=now).contains(made))
}

/// Notes how it went, for those who ask. If that cannot be noted, the log has it.
async fn note(platform: &Platform, last: Last) {
    let noted = async {
        let mut tx = platform.store.write().await?;
        store::set_fact(&mut tx, FACT, &serde_json::to_string(&last)?).await?;
        anyhow::Ok(tx.commit().await?)
    };
    if let Err(error) = noted.await {
        warn!("how the nightly backup went cannot be noted: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_once_after_half_past_three() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let due = |made: &str, now: &str| is_due(&[at(made)], at(now));
        assert!(is_due(&[], at("2026-11-22T12:00:00Z")));
        assert!(!due("2026-11-21T03:30:00Z", "2026-11-22T03:29:59Z"));
        assert!(due("2026-11-21T03:30:05Z", "2026-11-22T03:30:00Z"));
        assert!(!due("2026-11-22T03:30:00Z", "2026-11-22T03:40:00Z"));
        assert!(due("2026-11-20T03:30:00Z", "2026-11-22T00:00:00Z"), "that night was missed");
        assert!(due("2027-01-01T00:00:00Z", "2026-11-22T12:00:00Z"), "a clock was wrong once");
    }

    #[test]
    fn the_options_are_those_of_the_server() {
        let words = ["paasd", "serve", "--data-dir", "/d", "--replace", "--config", "/c"].map(OsString::from);
        assert_eq!(options(words.into_iter()).collect::<Vec<_>>(), ["--data-dir", "/d", "--config", "/c"]);
    }
}

//! Carries the output of a container into the app's log, through the pump that bounds it.
//!
//! Docker keeps the output while nobody reads. How far it was carried is written down beside the replica after each batch:
//! whoever comes next goes on there. If Docker had to throw away what was not read yet, that is said in the log.
//!
//! Docker itself does not say so while it is followed: from the end of a file it goes on with the newest, whatever came
//! between, or falls silent for good. Where it may have left something out, or is silent though its last line was not carried, it is
//! asked anew from the last one that was, and the files tell.

mod followed;
mod position;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::query_parameters::{InspectContainerOptions, LogsOptions};
use jiff::Timestamp;
use logs::{Bounds, LinePump, LogDir, Origin, Rate, Source};
use model::replica::ReplicaSpec;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::StreamExt as _;

use super::Inner;
use super::end::is_running;
use crate::daemon::{Daemon, DaemonError, QUICK};
use followed::Followed;
use position::{Position, TIME};

/// The file with how far the output was carried.
pub(super) const POSITION: &str = "output.position";

/// Quiet time after which an unended line is shown and dropped lines are announced.
const QUIET: Duration = Duration::from_millis(200);
/// Most records that are taken at once, and how long they are waited for: Docker sends each by itself, and a batch costs as much
/// as a hundred records.
const BATCH: (usize, Duration) = (512, Duration::from_millis(5));
/// Rest after a batch that was dropped, so that a flood does not take a processor of the others.
const PACE: Duration = Duration::from_millis(2);
/// The pause before the daemon is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the output may be carried on after the end of a run.
const OUTPUT_TIME: Duration = Duration::from_secs(5);
/// After so many quiet times in a row Docker is asked whether there is really no more, then after twice as many, and so on.
const STALL: u32 = 5;
/// How often that is doubled: to about a minute.
const DOUBLINGS: u32 = 6;

/// A task that carries the output of one replica.
pub(super) struct Carrier {
    task: JoinHandle<()>,
    done: watch::Receiver<bool>,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for the end of the output.
pub(super) struct Done(watch::Receiver<bool>);

impl Done {
    /// Returns when all output was carried, or after a while.
    pub(super) async fn wait(mut self) {
        let _ = tokio::time::timeout(OUTPUT_TIME, self.0.wait_for(|done| *done)).await;
    }
}

impl Carrier {
    /// Starts to carry, from where somebody stopped.
    pub(super) fn start(inner: &Arc<Inner>, spec: &ReplicaSpec) -> Self {
        let (sender, done) = watch::channel(false);
        let origin = Origin::new(Source::App, &spec.name(), Some(spec.release.0));
        let from = Container { daemon: inner.daemon.clone(), name: inner.name(spec.id) };
        let log = inner.options.logs_dir.join(spec.app.to_string());
        let (position, id) = (inner.dir(spec.id).path().join(POSITION), spec.id);
        let task = tokio::spawn(async move {
            if let Err(error) = carry(&from, (&log, origin), position).await {
                tracing::warn!(error = format!("{error:#}"), replica = %id, "the output of a replica is not carried");
            }
            let _ = sender.send(true);
        });
        Self { task, done }
    }

    pub(super) fn done(&self) -> Done {
        Done(self.done.clone())
    }
}

/// A container whose output is carried. It holds nothing of the engine, which ends the carriers with itself.
struct Container {
    daemon: Daemon,
    name: String,
}

async fn carry(from: &Container, (log, origin): (&Path, Origin), path: PathBuf) -> Result<()> {
    // The carrier of a server that is leaving ends first.
    let (file, position) = spawn_blocking(move || Position::open(&path)).await??;
    let writer = LogDir::open(log, Bounds::default()).context("cannot open the app's log")?.writer();
    let pump = LinePump::new(writer, origin, Rate::default());
    let mut reading = Reading { pump: Some(pump), file: Arc::new(file), position, doubted: 0 };
    loop {
        let found = from.daemon.docker().inspect_container(&from.name, None::<InspectContainerOptions>);
        match from.daemon.ask("look at a container", QUICK, found).await {
            Err(DaemonError::Missing(_)) => return Ok(()),
            Ok(found) => {
                let runs = is_running(&found);
                let whole = reading.read(from, runs).await;
                if whole && !runs {
                    return Ok(());
                }
                // It has ended just now, and there may be more of it.
                if whole {
                    continue;
                }
            }
            Err(error) => tracing::debug!(%error, "the output of {} waits for the daemon", from.name),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

struct Reading {
    pump: Option<LinePump>,
    file: Arc<File>,
    position: Position,
    /// How often it was asked whether there is more since there was.
    doubted: u32,
}

impl Reading {
    /// Reads to the end of what there is, or of the run; returns whether it came to the end.
    async fn read(&mut self, from: &Container, follow: bool) -> bool {
        let options = LogsOptions {
            follow,
            stdout: true,
            stderr: true,
            timestamps: true,
            since: self.position.second(),
            ..LogsOptions::default()
        };
        let records = from.daemon.docker().logs(&from.name, Some(options)).chunks_timeout(BATCH.0, BATCH.1);
        let mut records = std::pin::pin!(records);
        let (mut seen, resumed, mut whole) = (0, self.position.clone(), true);
        let mut continued = resumed.time.is_empty();
        let (mut followed, mut again) = (Followed::since(Timestamp::now()), false);
        let (mut quiet, mut behind) = (0, false);
        while !again {
            let holds_back = self.pump.as_ref().is_some_and(LinePump::holds_back);
            let batch = match tokio::time::timeout(QUIET, records.next()).await {
                Err(_) => {
                    if holds_back {
                        self.pump(Vec::new()).await;
                    }
                    quiet += 1;
                    again = behind;
                    if follow && quiet == STALL << self.doubted {
                        (quiet, behind) = (0, self.is_behind(from).await);
                        self.doubted = (self.doubted + 1).min(DOUBLINGS);
                    }
                    whole &= !again;
                    continue;
                }
                Ok(None) => break,
                Ok(Some(batch)) => batch,
            };
            (quiet, behind) = (0, false);
            let (mut output, now) = (Vec::new(), Timestamp::now());
            for record in batch {
                let Ok(record) = record else {
                    whole = false;
                    continue;
                };
                let bytes = record.into_bytes();
                let Some((time, text)) = split(&bytes) else {
                    tracing::warn!(record = %bytes.escape_ascii(), "Docker says of the output of {}", from.name);
                    whole &= !follow;
                    continue;
                };
                again = followed.leaps(time, bytes.len(), now) && follow;
                if again {
                    whole = false;
                    break;
                }
                continued |= time == resumed.time;
                if self.position.passes(&mut seen, time) {
                    if !std::mem::replace(&mut continued, true) {
                        output.extend_from_slice(LOST);
                    }
                    output.extend_from_slice(text);
                    self.doubted = 0;
                }
            }
            if !output.is_empty() {
                self.pump(output).await;
            }
        }
        self.pump(Vec::new()).await;
        whole
    }

    /// Tells whether the last that Docker has was not carried yet.
    async fn is_behind(&self, from: &Container) -> bool {
        let last = LogsOptions {
            stdout: true,
            stderr: true,
            timestamps: true,
            tail: "1".to_owned(),
            ..LogsOptions::default()
        };
        let mut records = from.daemon.docker().logs(&from.name, Some(last));
        let Ok(Some(Ok(record))) = tokio::time::timeout(QUICK, records.next()).await else { return false };
        split(&record.into_bytes()).is_some_and(|(time, _)| time > self.position.time.as_str())
    }

    /// Writes output into the log and then how far it came; nothing stands for a pause.
    async fn pump(&mut self, output: Vec<u8>) {
        let Some(mut pump) = self.pump.take() else { return };
        let (file, position) = (Arc::clone(&self.file), self.position.clone());
        let written = spawn_blocking(move || {
            if output.is_empty() {
                pump.flush();
            } else {
                // Docker may bring it long after it was written.
                pump.push_late(&output, position.written());
            }
            if let Err(error) = position.write(&file) {
                tracing::warn!(%error, "cannot write down how far output was carried");
            }
            pump
        });
        self.pump = written.await.ok();
        if self.pump.as_ref().is_some_and(LinePump::is_dropping) {
            tokio::time::sleep(PACE).await;
        }
    }
}

/// Said in the app's log where Docker threw away what had not been carried yet.
const LOST: &[u8] =
    b"Error L10 (output buffer overflow): lines are missing here: there were more than Docker keeps until they are read\n";

/// Splits a record into its time and its bytes.
fn split(record: &[u8]) -> Option<(&str, &[u8])> {
    let (time, text) = record.split_at_checked(TIME)?;
    Some((std::str::from_utf8(time).ok()?, text.strip_prefix(b" ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_its_time_and_its_bytes() {
        let time = "2026-01-02T03:04:05.000000001Z";
        let record = [time.as_bytes(), b" caf\xe9\n"].concat();
        assert_eq!(split(&record), Some((time, b"caf\xe9\n".as_slice())));
        assert_eq!(split(b"what"), None);
    }
}

//! Carries the output of a container into the app's log, through the pump that bounds it.
//!
//! Docker keeps the output while nobody reads. How far it was carried is written down beside the replica after each batch:
//! whoever comes next goes on there. If Docker had to throw away what was not read yet, that is said in the log.
//!
//! Docker itself does not say so while it is followed: from the end of a file it goes on with the newest, whatever came
//! between, or falls silent for good. Where that may have happened it is asked anew from the last line that was carried, and the
//! files tell.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::query_parameters::{InspectContainerOptions, LogsOptions};
use jiff::{SignedDuration, Timestamp};
use logs::{Bounds, LinePump, LogDir, Origin, Rate, Source};
use model::replica::ReplicaSpec;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::StreamExt as _;

use super::Inner;
use super::end::is_running;
use crate::container::OUTPUT_FILE_BYTES;
use crate::daemon::{Daemon, DaemonError, QUICK};

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
/// The shortest time that Docker may need to fill a file, faster than which it does not write: a step over one is no shorter.
const LEAP: SignedDuration = SignedDuration::from_millis(100);
/// After so many quiet times in a row, if what came last was late, Docker is not believed that there is no more.
const STALL: u32 = 5;
/// The part of a time that differs when a leap lies between two.
const TENTH: usize = "2006-01-02T15:04:05.0".len();
/// About what Docker writes around a record.
const AROUND: u64 = 40;
/// The length of a time as Docker writes it, `2006-01-02T15:04:05.000000000Z`: in this form times sort as text.
const TIME: usize = 30;

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
    let (file, position) = spawn_blocking(move || open(&path)).await??;
    let writer = LogDir::open(log, Bounds::default()).context("cannot open the app's log")?.writer();
    let pump = LinePump::new(writer, origin, Rate::default());
    let mut reading = Reading { pump: Some(pump), file: Arc::new(file), position };
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

/// What was carried last: its time, and how many records of just that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    time: String,
    count: u32,
}

impl Position {
    /// Takes note of a record; says whether it is news.
    fn passes(&mut self, seen: &mut u32, time: &str) -> bool {
        match time.cmp(self.time.as_str()) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                *seen += 1;
                let news = *seen > self.count;
                self.count = self.count.max(*seen);
                news
            }
            std::cmp::Ordering::Greater => {
                (*seen, self.count) = (1, 1);
                time.clone_into(&mut self.time);
                true
            }
        }
    }

    fn parse(text: &str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let (time, count) = (words.next().filter(|time| time.len() == TIME), words.next());
        match (time, count.and_then(|count| count.parse().ok())) {
            (Some(time), Some(count)) => Self { time: time.to_owned(), count },
            _ => Self::default(),
        }
    }

    /// The second from which Docker is asked for records; it takes no finer one.
    fn second(&self) -> i32 {
        let time = self.time.parse::<jiff::Timestamp>().ok();
        time.and_then(|time| i32::try_from(time.as_second()).ok()).unwrap_or(0)
    }
}

/// What came of one question for records.
struct Followed {
    /// When it was asked. What was written until then is read from the files, and nothing of that is left out.
    asked: Timestamp,
    /// What Docker's files have of what came, about, in bytes.
    bytes: u64,
    /// The time of the last record, and when it came here.
    last: String,
    at: Timestamp,
}

impl Followed {
    fn since(asked: Timestamp) -> Self {
        Self { asked, bytes: 0, last: String::new(), at: asked }
    }

    /// Takes note of a record that came at a time; says whether Docker may have left out others before it: those that came before
    /// were late, there were enough of them for a file to be full, and then there is a leap in time.
    fn leaps(&mut self, time: &str, bytes: usize, at: Timestamp) -> bool {
        self.bytes += bytes as u64 + AROUND;
        let parsed = |time: &str| time.parse::<Timestamp>().ok();
        let leaps = self.bytes >= OUTPUT_FILE_BYTES / 2
            && self.last.get(..TENTH) != time.get(..TENTH)
            && self.was_late()
            && parsed(&self.last)
                .zip(parsed(time))
                .is_some_and(|(last, time)| last >= self.asked && time.duration_since(last) >= LEAP);
        time.clone_into(&mut self.last);
        self.at = at;
        leaps
    }

    /// Tells whether the last record came a while after it was written.
    fn was_late(&self) -> bool {
        self.last.parse::<Timestamp>().is_ok_and(|last| self.at.duration_since(last) >= LEAP)
    }
}

/// Opens the file of the position and takes it for this carrier alone. Blocks.
fn open(path: &Path) -> Result<(File, Position)> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    flock(&file, FlockOperation::LockExclusive).context("cannot take the position of a replica's output")?;
    let position = Position::parse(&fs::read_to_string(path).unwrap_or_default());
    Ok((file, position))
}

struct Reading {
    pump: Option<LinePump>,
    file: Arc<File>,
    position: Position,
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
        let (mut followed, mut again, mut quiet) = (Followed::since(Timestamp::now()), false, 0);
        while !again {
            let holds_back = self.pump.as_ref().is_some_and(LinePump::holds_back);
            let batch = match tokio::time::timeout(QUIET, records.next()).await {
                Err(_) => {
                    if holds_back {
                        self.pump(Vec::new()).await;
                    }
                    quiet += 1;
                    // Who was asked and had nothing new is believed.
                    again = quiet == STALL && follow && followed.was_late() && self.position != resumed;
                    whole &= !again;
                    continue;
                }
                Ok(None) => break,
                Ok(Some(batch)) => batch,
            };
            quiet = 0;
            let (mut output, now) = (Vec::new(), Timestamp::now());
            for record in batch {
                let Ok(record) = record else {
                    whole = false;
                    continue;
                };
                let bytes = record.into_bytes();
                let Some((time, text)) = split(&bytes) else { continue };
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
                }
            }
            if !output.is_empty() {
                self.pump(output).await;
            }
        }
        self.pump(Vec::new()).await;
        whole
    }

    /// Writes output into the log and then how far it came; nothing stands for a pause.
    async fn pump(&mut self, output: Vec<u8>) {
        let Some(mut pump) = self.pump.take() else { return };
        let (file, position) = (Arc::clone(&self.file), self.position.clone());
        let written = spawn_blocking(move || {
            if output.is_empty() {
                pump.flush();
            } else {
                pump.push(&output);
            }
            // As long each time, so that one write replaces the other whole.
            let line = format!("{:TIME$} {:10}\n", position.time, position.count);
            if let Err(error) = file.write_all_at(line.as_bytes(), 0) {
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

    const TIMES: [&str; 3] = [
        "2026-01-02T03:04:05.000000001Z",
        "2026-01-02T03:04:05.000000002Z",
        "2026-01-02T03:04:05.000000003Z",
    ];

    #[test]
    fn who_comes_again_gets_what_is_new_even_of_one_moment() {
        let records = [TIMES[0], TIMES[1], TIMES[1], TIMES[1], TIMES[2]];
        for cut in 0..records.len() {
            let (mut position, mut seen) = (Position::default(), 0);
            let first = records[..cut].iter().filter(|time| position.passes(&mut seen, time)).count();
            let mut position = Position::parse(&format!("{:TIME$} {:10}\n", position.time, position.count));
            let mut seen = 0;
            let second = records.iter().filter(|time| position.passes(&mut seen, time)).count();
            assert_eq!((first, second), (cut, records.len() - cut));
        }
    }

    #[test]
    fn only_a_leap_after_a_file_of_late_records_may_hide_others() {
        let at = |ms: i64| Timestamp::from_millisecond(1_767_323_045_000 + ms).unwrap();
        let text = |ms: i64| format!("{:.9}", at(ms));
        // Records of a tenth of a file, a millisecond apart, that come so much later than they were written.
        let leaps = |records: i64, late: i64, leap: i64| {
            let (mut followed, tenth) = (Followed::since(at(0)), (OUTPUT_FILE_BYTES / 10) as usize);
            for ms in 0..records {
                assert!(!followed.leaps(&text(ms), tenth, at(ms + late)), "{ms}");
            }
            followed.leaps(&text(records + leap), tenth, at(records + leap + late))
        };
        assert!(leaps(10, 500, 200));
        assert!(!leaps(2, 500, 200), "no file can be full yet");
        assert!(!leaps(10, 20, 200), "nothing was late: the app has paused");
        assert!(!leaps(10, 500, 20), "too soon for a file");
        assert_eq!(text(0).len(), TIME);
        let mut followed = Followed::since(at(600));
        assert!(!followed.leaps(&text(0), OUTPUT_FILE_BYTES as usize, at(650)));
        assert!(!followed.leaps(&text(500), 100, at(650)), "it was there before it was asked for");
    }

    #[test]
    fn a_record_is_its_time_and_its_bytes() {
        let record = [TIMES[0].as_bytes(), b" caf\xe9\n"].concat();
        assert_eq!(split(&record), Some((TIMES[0], b"caf\xe9\n".as_slice())));
        assert_eq!(split(b"what"), None);
        assert_eq!(Position::parse(&format!("{} 1", TIMES[0])).second(), 1_767_323_045);
        assert_eq!(Position::parse("nonsense").second(), 0);
    }
}

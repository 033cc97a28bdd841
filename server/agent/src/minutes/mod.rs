//! What was measured here, minute by minute: kept on disk until a server has taken it, so that neither a stop of the servers nor
//! one of the agent leaves a hole. It measures nothing itself.
//!
//! A file has a line for each minute that waits. The last line is of the minute under way and is replaced with each measurement:
//! an agent that is killed loses what it measured since the last one. Lines that were taken go with the next write; one that is
//! sent twice is known by its minute.

mod gathered;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::metrics::{HostMinute, KEPT_MINUTES};
use tokio::sync::watch;
use tracing::warn;

use crate::atomic::{self, Durability};
pub(crate) use gathered::Gathered;

/// Most bytes that wait, in memory as on disk: a day of fifty replicas.
const MOST: usize = 16 << 20;

/// Which part of the minutes goes when they are too many, so that not each new one has all others written again.
const PART: usize = 16;

/// The minutes that wait for a server.
#[derive(Debug)]
pub struct Minutes {
    waiting: Mutex<Waiting>,
    under_way: watch::Sender<u64>,
}

#[derive(Debug)]
struct Waiting {
    path: PathBuf,
    /// As they are in the file, or will be with the next write.
    lines: VecDeque<(u64, Vec<u8>)>,
    /// The file, while it has all lines but for the last.
    file: Option<File>,
    gathered: Gathered,
}

impl Minutes {
    /// Opens the file, with what an earlier agent left there. One that cannot be read is begun anew: replicas do not wait for it.
    pub(crate) fn open(path: PathBuf) -> Self {
        let mut lines = VecDeque::<(u64, Vec<u8>)>::new();
        let read = atomic::read(&path);
        let left = read.unwrap_or_else(|error| {
            warn!(%error, "what was measured before cannot be read");
            None
        });
        for line in left.unwrap_or_default().split(|byte| *byte == b'\n') {
            // The last one may be torn, and if it is whole, its end may be missing.
            let Ok(of) = serde_json::from_slice::<HostMinute>(line) else { continue };
            if lines.back().is_none_or(|(last, _)| *last < of.minute) {
                lines.push_back((of.minute, [line, b"\n"].concat()));
            }
        }
        let waiting = Waiting { path, lines, file: None, gathered: Gathered::default() };
        Self { waiting: Mutex::new(waiting), under_way: watch::Sender::new(0) }
    }

    /// Takes note of what was just measured in a minute. A clock that goes back makes no minute anew.
    pub(crate) fn note(&self, measured: HostMinute) {
        let minute = measured.minute;
        let mut waiting = self.lock();
        if let Err(error) = waiting.note(measured) {
            warn!(%error, "what was measured is not kept on disk");
        }
        drop(waiting);
        self.under_way.send_if_modified(|known| std::mem::replace(known, minute) != minute);
    }

    /// Returns the minutes before one that no server has taken, the oldest first and no more than so many bytes of them.
    #[must_use]
    pub fn before(&self, minute: u64, bytes: usize) -> Vec<HostMinute> {
        let mut left = bytes;
        let waiting = self.lock();
        let fit = waiting.lines.iter().take_while(|(of, line)| {
            let fits = *of < minute && (left == bytes || line.len() <= left);
            left = left.saturating_sub(line.len());
            fits
        });
        fit.filter_map(|(_, line)| serde_json::from_slice(line).ok()).collect()
    }

    /// Forgets the minutes up to one: a server has them.
    pub fn settle(&self, upto: u64) {
        let mut waiting = self.lock();
        while waiting.lines.front().is_some_and(|(minute, _)| *minute <= upto) {
            waiting.lines.pop_front();
            waiting.file = None;
        }
    }

    /// Returns what tells that another minute is under way.
    #[must_use]
    pub fn under_way(&self) -> watch::Receiver<u64> {
        self.under_way.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn note(&mut self, measured: HostMinute) -> io::Result<()> {
        let minute = measured.minute;
        let of = self.gathered.add(measured);
        let mut line = serde_json::to_vec(&of)?;
        line.push(b'\n');
        if self.lines.back().is_some_and(|(last, _)| *last == minute) {
            self.lines.pop_back();
        }
        if self.lines.back().is_some_and(|(last, _)| *last > minute) {
            return Ok(());
        }
        let whole: usize = self.lines.iter().map(|(_, line)| line.len()).sum();
        let too_many = self.lines.len() as u64 >= KEPT_MINUTES || whole + line.len() > MOST;
        self.lines.push_back((minute, line));
        if too_many {
            let gone = self.lines.len().div_ceil(PART);
            self.lines.drain(..gone);
            warn!(
                minutes = gone,
                "no server took what was measured for too long; the oldest of it is given up"
            );
        }
        match self.file.as_ref().filter(|_| !too_many) {
            Some(file) => self.replace_last(file, whole as u64),
            None => self.write_all(),
        }
    }

    fn replace_last(&self, file: &File, whole: u64) -> io::Result<()> {
        let Some((_, line)) = self.lines.back() else { return Ok(()) };
        file.set_len(whole)?;
        file.write_all_at(line, whole)
    }

    fn write_all(&mut self) -> io::Result<()> {
        let all: Vec<u8> = self.lines.iter().flat_map(|(_, line)| line).copied().collect();
        atomic::replace(&self.path, &all, Durability::Cached)?;
        self.file = Some(File::options().write(true).open(&self.path)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::host_use::{HostUse, Share};
    use proptest::prelude::*;

    use super::*;

    fn measured(minute: u64, used: u64) -> HostMinute {
        let memory_bytes = Some(Share { used, of: 1 << 30 });
        let in_use = HostUse { cpu_millicores: None, memory_bytes };
        HostMinute { minute, in_use, ..HostMinute::default() }
    }

    fn waiting(minutes: &Minutes) -> Vec<u64> {
        minutes.before(u64::MAX, usize::MAX).iter().map(|of| of.minute).collect()
    }

    #[test]
    fn a_minute_is_sent_when_it_is_over_and_waits_until_it_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let minutes = Minutes::open(dir.path().join("minutes"));
        for minute in [7, 7, 8, 9] {
            minutes.note(measured(minute, 1));
        }
        let before = |minute, bytes| minutes.before(minute, bytes).len();
        assert_eq!([before(9, usize::MAX), before(9, 1), before(7, 1)], [2, 1, 0]);
        minutes.settle(7);
        assert_eq!(waiting(&minutes), [8, 9]);
        minutes.note(measured(8, 5));
        assert_eq!(waiting(&minutes), [8, 9], "the clock went back");
    }

    #[test]
    fn no_more_than_a_day_waits_and_the_oldest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let minutes = Minutes::open(dir.path().join("minutes"));
        for minute in 0..KEPT_MINUTES + 10 {
            minutes.note(measured(minute, 1));
        }
        let left = waiting(&minutes);
        assert!(left.len() as u64 <= KEPT_MINUTES && left.len() as u64 > KEPT_MINUTES * 9 / 10);
        assert_eq!(left.last(), Some(&(KEPT_MINUTES + 9)));
        assert!(left.is_sorted());
    }

    #[test]
    fn a_line_of_which_only_the_end_is_missing_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("minutes");
        Minutes::open(path.clone()).note(measured(7, 1));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, whole.trim_ascii_end()).unwrap();
        Minutes::open(path.clone()).note(measured(8, 1));
        assert_eq!(waiting(&Minutes::open(path)), [7, 8]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Measure(u64),
        Later,
        Take,
        Kill,
        Tear(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0_u64..1_000).prop_map(Step::Measure),
            3 => Just(Step::Later),
            1 => Just(Step::Take),
            1 => Just(Step::Kill),
            1 => (0_usize..40).prop_map(Step::Tear),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #[test]
        fn each_minute_that_was_over_comes_to_a_server_whenever_the_agent_dies(steps in steps()) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("minutes");
            let mut minutes = Minutes::open(path.clone());
            let (mut now, mut taken, mut most) = (100, BTreeMap::new(), BTreeMap::new());
            let mut take = |minutes: &Minutes, now| {
                let sent = minutes.before(now, 300);
                for of in &sent {
                    taken.insert(of.minute, of.in_use.memory_bytes.unwrap().used);
                }
                if let Some(last) = sent.last() {
                    minutes.settle(last.minute);
                }
                sent.len()
            };
            for step in steps {
                match step {
                    Step::Measure(used) => {
                        minutes.note(measured(now, used));
                        let most = most.entry(now).or_insert(0);
                        *most = used.max(*most);
                    }
                    Step::Later => now += 1,
                    Step::Take => drop(take(&minutes, now)),
                    Step::Kill => {
                        // What was measured before counts no more for the minute under way.
                        most.remove(&now);
                        minutes = Minutes::open(path.clone());
                    }
                    Step::Tear(bytes) => {
                        let known = std::fs::read(&path).unwrap_or_default();
                        // Only the line of the minute under way can be half written.
                        if minutes.before(u64::MAX, usize::MAX).last().is_some_and(|of| of.minute == now) {
                            std::fs::write(&path, &known[..known.len() - bytes.clamp(1, 40)]).unwrap();
                            most.remove(&now);
                            minutes = Minutes::open(path.clone());
                        }
                    }
                }
            }
            while take(&minutes, now + 1) > 0 {}
            for (minute, used) in most {
                prop_assert_eq!(taken.get(&minute), Some(&used), "of minute {}", minute);
            }
        }
    }
}

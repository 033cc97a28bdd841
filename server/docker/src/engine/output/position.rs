//! How far the output of a container was carried, in a file beside the replica.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};

/// The length of a time as Docker writes it, `2006-01-02T15:04:05.000000000Z`: in this form times sort as text.
pub(super) const TIME: usize = 30;

/// What was carried last: its time, and how many records of just that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) time: String,
    count: u32,
}

impl Position {
    /// Takes note of a record; says whether it is news.
    pub(super) fn passes(&mut self, seen: &mut u32, time: &str) -> bool {
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

    /// When what was carried last was written, since the Unix epoch.
    pub(super) fn written(&self) -> Duration {
        let time = self.time.parse::<jiff::Timestamp>().ok();
        time.and_then(|time| Duration::try_from(time.as_duration()).ok()).unwrap_or_default()
    }

    /// The second from which Docker is asked for records; it takes no finer one.
    pub(super) fn second(&self) -> i32 {
        i32::try_from(self.written().as_secs()).unwrap_or(0)
    }

    /// Opens its file and takes it for this carrier alone. Blocks.
    pub(super) fn open(path: &Path) -> Result<(File, Self)> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        flock(&file, FlockOperation::LockExclusive)
            .context("cannot take the position of a replica's output")?;
        let position = Self::parse(&fs::read_to_string(path).unwrap_or_default());
        Ok((file, position))
    }

    /// Writes it into its file. Blocks.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        file.write_all_at(self.line().as_bytes(), 0)
    }

    /// As long each time, so that one write replaces the other whole.
    fn line(&self) -> String {
        format!("{:TIME$} {:10}\n", self.time, self.count)
    }
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
            let mut position = Position::parse(&position.line());
            let mut seen = 0;
            let second = records.iter().filter(|time| position.passes(&mut seen, time)).count();
            assert_eq!((first, second), (cut, records.len() - cut));
        }
    }

    #[test]
    fn what_is_no_position_is_the_beginning() {
        assert_eq!(Position::parse(&format!("{} 1", TIMES[0])).second(), 1_767_323_045);
        assert_eq!(Position::parse("nonsense").second(), 0);
    }
}

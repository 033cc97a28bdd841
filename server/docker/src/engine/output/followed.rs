//! Whether Docker, while its output is followed, may have left out some of it.

use jiff::{SignedDuration, Timestamp};

use crate::container::OUTPUT_FILE_BYTES;

/// The shortest time that Docker may need to fill a file, faster than which it does not write: a step over one is no shorter.
const LEAP: SignedDuration = SignedDuration::from_millis(100);
/// The part of a time that differs when a leap lies between two.
const TENTH: usize = "2006-01-02T15:04:05.0".len();
/// About what Docker writes around a record.
const AROUND: u64 = 40;

/// What came of one question for records.
pub(super) struct Followed {
    /// When it was asked. What was written until then is read from the files, and nothing of that is left out.
    asked: Timestamp,
    /// What Docker's files have of what came, about, in bytes.
    bytes: u64,
    /// The time of the last record, and when it came here.
    last: String,
    at: Timestamp,
}

impl Followed {
    pub(super) fn since(asked: Timestamp) -> Self {
        Self { asked, bytes: 0, last: String::new(), at: asked }
    }

    /// Takes note of a record that came at a time; says whether Docker may have left out others before it: those that came before
    /// were late, there were enough of them for a file to be full, and then there is a leap in time.
    pub(super) fn leaps(&mut self, time: &str, bytes: usize, at: Timestamp) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut followed = Followed::since(at(600));
        assert!(!followed.leaps(&text(0), OUTPUT_FILE_BYTES as usize, at(650)));
        assert!(!followed.leaps(&text(500), 100, at(650)), "it was there before it was asked for");
    }
}

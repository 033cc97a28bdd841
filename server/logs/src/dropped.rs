//! Lines that could not be delivered, and the sentence that says so in the stream.
//!
//! The sentence begins like Heroku's error for the same thing, which its users know and filter by:
//! <https://devcenter.heroku.com/articles/error-codes#l10-drain-buffer-overflow>

use jiff::Timestamp;

/// Why a line was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The replica wrote faster than its rate.
    TooFast,
    /// The disk took no more, or the folder was gone.
    Unwritable,
    /// The writer was behind and its queue was full.
    QueueFull,
}

const CAUSES: [(Cause, &str); 3] = [
    (Cause::TooFast, "the process wrote faster than its log rate allows"),
    (Cause::Unwritable, "the log could not be written, the disk may be full"),
    (Cause::QueueFull, "the log writer was behind"),
];

/// Lines that were dropped and not announced yet, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    counts: [u64; CAUSES.len()],
    since: Option<Timestamp>,
}

impl Dropped {
    /// Counts lines that were dropped just now.
    pub(crate) fn add(&mut self, cause: Cause, lines: u64, now: Timestamp) {
        if lines > 0 {
            self.counts[cause as usize] += lines;
            self.since.get_or_insert(now);
        }
    }

    /// Takes away what the stream tells of by now.
    pub(crate) fn announced(&mut self, announced: Dropped) {
        self.counts.iter_mut().zip(announced.counts).for_each(|(count, told)| *count -= told);
        if !self.any() {
            self.since = None;
        }
    }

    /// Returns whether something is still to be announced.
    pub(crate) fn any(&self) -> bool {
        self.counts.iter().any(|count| *count > 0)
    }

    /// Returns one sentence for each cause.
    pub(crate) fn notices(self) -> impl Iterator<Item = String> {
        let since = self.since.unwrap_or(Timestamp::UNIX_EPOCH);
        CAUSES.into_iter().zip(self.counts).filter(|(_, count)| *count > 0).map(move |((_, cause), count)| {
            let noun = if count == 1 { "message" } else { "messages" };
            format!("Error L10 (output buffer overflow): dropped {count} {noun} since {since:.3}: {cause}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_sentence_with_the_time_of_the_first_dropped_line() {
        let mut dropped = Dropped::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        dropped.add(Cause::TooFast, 2, at(1));
        dropped.add(Cause::TooFast, 1, at(2));
        dropped.add(Cause::Unwritable, 1, at(3));
        let notices: Vec<_> = dropped.notices().collect();
        let start = "Error L10 (output buffer overflow): dropped";
        let since = "since 1970-01-01T00:00:01.000Z";
        assert_eq!(
            notices,
            [
                format!("{start} 3 messages {since}: the process wrote faster than its log rate allows"),
                format!("{start} 1 message {since}: the log could not be written, the disk may be full"),
            ]
        );
    }

    #[test]
    fn what_is_dropped_after_an_announcement_is_announced_from_its_own_time() {
        let mut dropped = Dropped::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        dropped.add(Cause::QueueFull, 2, at(1));
        dropped.announced(dropped);
        assert!(!dropped.any());
        dropped.add(Cause::QueueFull, 5, at(9));
        let notice = dropped.notices().next().unwrap();
        assert!(notice.contains("dropped 5 messages since 1970-01-01T00:00:09.000Z"), "{notice}");
    }
}

//! Lines that could not be delivered, and the sentence that says so in the stream.

/// Lines that were dropped and not announced yet, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// The replica wrote faster than its rate.
    pub(crate) too_fast: u64,
    /// The disk took no more, or the folder was gone.
    pub(crate) unwritable: u64,
    /// The writer was behind and its queue was full.
    pub(crate) queue_full: u64,
}

impl Dropped {
    /// Returns whether something is still to be announced.
    pub(crate) fn any(self) -> bool {
        self != Dropped::default()
    }

    /// Returns one sentence for each cause.
    pub(crate) fn notices(self) -> impl Iterator<Item = String> {
        let causes = [
            (self.too_fast, "the process wrote faster than its log rate allows"),
            (self.unwritable, "the log could not be written, the disk may be full"),
            (self.queue_full, "the log writer was behind"),
        ];
        causes.into_iter().filter(|(count, _)| *count > 0).map(|(count, cause)| {
            let noun = if count == 1 { "line" } else { "lines" };
            format!("dropped {count} {noun}: {cause}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_sentence() {
        let dropped = Dropped { too_fast: 3, unwritable: 1, queue_full: 0 };
        let notices: Vec<_> = dropped.notices().collect();
        assert_eq!(
            notices,
            [
                "dropped 3 lines: the process wrote faster than its log rate allows",
                "dropped 1 line: the log could not be written, the disk may be full",
            ]
        );
    }
}

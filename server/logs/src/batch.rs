//! What goes to disk in one write: whole lines, at most 64 KB.
//!
//! Each write begins with a newline. A write that was cut short, by a full disk or a kill, thus ends where
//! the next one begins and swallows nothing; readers pass over the empty lines.

use crate::dropped::Dropped;
use crate::record::Header;

/// Largest write in bytes.
const LARGEST_WRITE: usize = 64 * 1024;

/// One write in the making.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    announced: Dropped,
    announcements: u64,
    lines: u64,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The dropped lines that the stream now tells of.
    pub(crate) announced: Dropped,
    /// Lines of the batch that are not in the stream.
    pub(crate) lost: u64,
}

impl Batch {
    /// Announces dropped lines; comes before the first line.
    pub(crate) fn announce(&mut self, dropped: Dropped, header: &Header) {
        for notice in dropped.notices() {
            self.put(header, notice.as_bytes());
            self.announcements += 1;
        }
        self.announced = dropped;
    }

    /// Returns whether another line still fits into this write.
    pub(crate) fn has_room_for(&self, header: &Header, text: &[u8]) -> bool {
        self.lines == 0 || self.bytes.len() + header.length_with(text) < LARGEST_WRITE
    }

    pub(crate) fn line(&mut self, header: &Header, text: &[u8]) {
        self.put(header, text);
        self.lines += 1;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Empties the batch and returns what became of it after the first `written` bytes reached the disk.
    pub(crate) fn settle(&mut self, written: usize) -> Delivery {
        let complete = match written == self.bytes.len() {
            true => self.announcements + self.lines,
            // The first byte is the newline that ends what was there before.
            false => {
                memchr::memchr_iter(b'\n', self.bytes.get(1..written).unwrap_or_default()).count() as u64
            }
        };
        let all_announced = complete >= self.announcements;
        let delivery = Delivery {
            announced: if all_announced { self.announced } else { Dropped::default() },
            lost: self.lines - complete.saturating_sub(self.announcements),
        };
        self.bytes.clear();
        (self.announced, self.announcements, self.lines) = (Dropped::default(), 0, 0);
        delivery
    }

    fn put(&mut self, header: &Header, text: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.push(b'\n');
        }
        header.write(text, &mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use jiff::Timestamp;

    use super::*;
    use crate::dropped::Cause;
    use crate::{Origin, Source};

    proptest! {
        #[test]
        fn wherever_a_write_is_cut_each_line_is_delivered_or_lost(
            texts in prop::collection::vec("[a-z]{0,5}", 0..5), flood in 0u64..3, cut in 0usize..400,
        ) {
            let mut dropped = Dropped::default();
            dropped.add(Cause::TooFast, flood, Timestamp::UNIX_EPOCH);
            let header = Header::of(&Origin::new(Source::App, "web.1", None), Timestamp::UNIX_EPOCH);
            let mut batch = Batch::default();
            batch.announce(dropped, &header);
            texts.iter().for_each(|text| batch.line(&header, text.as_bytes()));
            let written = cut.min(batch.bytes().len());
            let on_disk = batch.bytes()[..written].to_vec();
            let whole = batch.bytes().len();

            let delivery = batch.settle(written);

            let newlines = on_disk.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let visible = newlines.saturating_sub(1);
            let notice = u64::from(flood > 0);
            prop_assert_eq!(delivery.lost, texts.len() as u64 - visible.saturating_sub(notice));
            prop_assert_eq!(delivery.announced.any(), flood > 0 && visible >= 1);
            prop_assert!(written < whole || delivery.lost == 0);
        }
    }
}

//! How long to wait before a replica that ended is started again.

use jiff::SignedDuration;

/// The pause after the first end.
const FIRST: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// A replica that ran for this long starts counting anew.
const STEADY: SignedDuration = SignedDuration::from_mins(10);

/// Returns the pause after this many ends in a row: 1 s, doubling up to 5 min; none after no end.
pub(crate) fn pause(ends_in_a_row: u32) -> SignedDuration {
    if ends_in_a_row == 0 {
        return SignedDuration::ZERO;
    }
    // 2^9 s is over the longest already.
    LONGEST.min(FIRST * 2_i32.pow((ends_in_a_row - 1).min(9)))
}

/// Returns the number of ends in a row after one more, which came after the replica had been up this long.
pub(crate) fn ends_in_a_row(before: u32, up: SignedDuration) -> u32 {
    if up >= STEADY { 1 } else { before.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_five_minutes() {
        let pauses: Vec<_> = (0..12).map(|ends| pause(ends).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn ten_minutes_up_are_forgiven() {
        assert_eq!(ends_in_a_row(7, SignedDuration::from_secs(599)), 8);
        assert_eq!(ends_in_a_row(7, SignedDuration::from_secs(600)), 1);
    }
}

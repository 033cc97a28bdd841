//! One turn of a connection: the time for which its task is polled once.
//!
//! What could not be read in the beginning of a turn cannot be read at its end: the system is only asked between
//! turns, and then the task is woken. The library asks up to three times in each, and to ask costs.

use std::cell::Cell;

thread_local! {
    /// The present turn; 0 between turns.
    static PRESENT: Cell<u64> = const { Cell::new(0) };
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Polls a connection, which `poll` does, as one turn.
///
/// All that is read in it must be read for the one task that is polled.
pub(crate) fn take<T>(poll: impl FnOnce() -> T) -> T {
    let turn = LAST.get() + 1;
    LAST.set(turn);
    PRESENT.set(turn);
    let _over = Over;
    poll()
}

/// Ends the turn, even by a panic.
struct Over;

impl Drop for Over {
    fn drop(&mut self) {
        PRESENT.set(0);
    }
}

/// Remembers in which turn a stream had nothing to read.
#[derive(Debug, Default)]
pub(crate) struct Dry(u64);

impl Dry {
    /// Returns whether the stream has had nothing to read in this very turn.
    pub(crate) fn is(&self) -> bool {
        self.0 != 0 && self.0 == PRESENT.get()
    }

    /// Notes that the stream has nothing to read, and wakes the task when it has.
    pub(crate) fn note(&mut self) {
        self.0 = PRESENT.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_dry_for_the_turn_in_which_it_was_found_so() {
        let mut dry = Dry::default();
        take(|| {
            assert!(!dry.is());
            dry.note();
            assert!(dry.is() && !Dry::default().is());
        });
        assert!(!dry.is());
        take(|| assert!(!dry.is()));
    }

    #[test]
    fn nothing_is_known_outside_of_turns() {
        let mut dry = Dry::default();
        dry.note();
        assert!(!dry.is());
    }
}

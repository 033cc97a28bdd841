//! When a turn read what it goes by, and whether this server led then.

use jiff::Timestamp;
use store::{Db, Store};

use crate::leadership::Leadership;

/// The moment of a turn. What is decided in a later one comes later in its order, whichever server decides it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The term of whoever leads.
    pub(super) term: u64,
    /// This server does.
    pub(super) leads: bool,
    /// How much had been written, where servers share the database.
    turn: Option<u64>,
}

impl Moment {
    /// Reads it, in the transaction in which everything else is read.
    pub(super) async fn read(db: &mut Db, store: &Store, leadership: &Leadership) -> store::Result<Self> {
        let term = store::find_leadership(db).await?.term;
        let turn = if store.is_shared() { Some(store::count_turns(db).await?) } else { None };
        Ok(Self { term, leads: false, turn }.now(leadership))
    }

    /// Returns the same moment with whether this server leads now: it may have lost that without a word of the database.
    pub(super) fn now(self, leadership: &Leadership) -> Self {
        Self { leads: leadership.term() == Some(self.term), ..self }
    }

    /// Returns the generation of wishes that are told now, after others of generation `before` in the same term.
    ///
    /// Servers tell the agents inside them by themselves. What they say of one moment is the same, and bears the same number,
    /// so that the leader knows which of its wishes a host has heard of that another server told.
    pub(super) fn generation(self, before: u64) -> u64 {
        // The clock orders the wishes of one server after those of the one before it.
        let now = || u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0).max(before + 1);
        self.turn.unwrap_or_else(now)
    }

    /// Returns how much had been written; nothing is where nobody else could have.
    pub(super) fn turn(self) -> u64 {
        self.turn.unwrap_or(0)
    }

    /// Returns whether more has been written since wishes of this generation were told.
    pub(super) fn is_after(self, generation: u64) -> bool {
        self.turn.is_some_and(|turn| turn > generation)
    }
}

//! The hands of a fleet on a real database and a cloud made up here: what was decided is done once, whatever is lost, hangs or
//! dies in between.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod caps;
mod crashes;
mod made_up;
mod schedules;
mod stories;
mod world;

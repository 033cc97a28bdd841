//! The hands of the entrance on load balancers made up here: whatever is lost, hangs, lags or dies in between, in the end exactly
//! what is wanted exists, and no request is lost on the way.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod crashes;
mod made_up;
mod others;
mod refusals;
mod schedules;
mod stories;
mod world;

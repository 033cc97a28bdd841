#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! Sandboxes that really run, as root and as an ordinary user: each story holds for both unless its
//! name says otherwise.

mod environment;
mod isolation;
mod limits;
mod ordinary_user;
mod processes;
mod reach;
mod system_calls;
mod world;

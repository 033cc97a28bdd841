//! The real `paasctl aws:*` against a simulated AWS over HTTP.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adopted;
mod cloud;
mod killed;
mod setup;
mod trouble;

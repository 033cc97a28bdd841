//! The engine against the Docker Engine of this machine. Where none answers, each test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and says more"
)]

mod stage;

mod adoption;
mod ends;
mod images;
mod isolation;
mod output;
mod slugs;

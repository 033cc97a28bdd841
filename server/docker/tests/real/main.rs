//! The engine against the Docker Engine of this machine. Where none answers, each test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and says more"
)]

mod dockerd;
mod stage;

mod adoption;
mod collection;
mod ends;
mod images;
mod isolation;
mod output;
mod restarts;
mod slugs;
mod stacks;

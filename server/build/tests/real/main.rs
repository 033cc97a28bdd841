//! Builds real sources in real sandboxes, with packages from the package index.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bytecode;
mod detection;
mod hooks;
mod limits;
mod python;
mod python_pins;
mod secrets;
mod sources;
mod static_site;
mod world;

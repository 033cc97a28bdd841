//! The real `paasctl` against a small HTTP server that plays recorded answers: what it asks, prints and exits with.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../../testkit/address.rs"]
mod address;
mod apps;
mod builds;
mod config;
mod config_bytes;
mod config_edit;
mod cost;
mod doctor;
mod environment;
mod errors;
mod fleet;
mod git;
mod help;
mod hosts;
mod json;
mod login;
mod logs;
mod metrics;
mod operations;
mod people;
mod ps;
mod releases;
mod server;
mod settings;
mod silence;
mod stack;
mod superseded;

//! What the platform knows and decides: names, ids, states and pure rules. It does no I/O, reads no clock and
//! draws no random numbers except for fresh ids.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod access;
pub mod app;
pub mod build;
pub mod config;
mod config_key;
mod config_value;
pub mod cost;
pub mod detection;
pub mod entrance;
pub mod exit;
pub mod fleet;
pub mod formation;
pub mod health;
pub mod host_use;
pub mod id;
pub mod image;
pub mod instances;
pub mod keep;
pub mod metrics;
pub mod name;
pub mod pins;
pub mod plan;
pub mod procfile;
pub mod release;
pub mod replica;
pub mod shell_words;
pub mod size;
pub mod slug;
pub mod stack;
pub mod upkeep;
pub mod watch;
pub mod wording;

//! The store on real `SQLite` files: order under many writers, one active operation, secrets sealed in the file.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod apps;
mod builds;
mod caps;
mod database;
mod desired;
mod disk;
mod hosts;
mod keeping;
mod launches;
mod leadership;
mod leases;
mod metrics;
mod operations;
mod portable;
mod releases;
mod sessions;
mod tokens;
mod unreadable;
mod watches;
mod world;

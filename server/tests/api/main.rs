//! The API on a real socket over a real store, as its clients see it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod access;
mod agents;
mod apps;
mod browser;
mod changes;
mod cost;
mod dashboard;
mod dashboard_config;
mod dashboard_logs;
mod dashboard_releases;
mod fleet;
mod hosts;
mod logs;
mod metrics;
mod operations;
mod people;
mod protocol;
mod roles;
mod server;
mod sign_in;
mod sources;
mod sweep;

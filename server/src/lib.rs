//! The control plane of a Heroku you run yourself: the API and the push write wishes, the reconcile loop acts on them.
//! The parts it wires are crates of their own; `ARCHITECTURE.md` shows how one push travels through them.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod actor;
pub mod agents;
pub mod api;
pub mod app_logs;
mod assembly;
pub mod attempts;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod balancers;
mod blobs;
pub mod builds;
mod child;
mod collect;
pub mod connections;
pub mod costs;
mod dashboard;
mod data_dir;
mod departure;
pub mod deploy;
pub mod disk;
pub mod doubt;
mod engine;
pub mod facts;
pub mod fleet_source;
pub mod gc;
pub mod host_agent;
mod instances;
pub mod leadership;
pub mod listeners;
mod local_agent;
pub mod metrics;
mod news;
pub mod notices;
pub mod offer;
pub mod options;
mod orders;
pub mod outlook;
mod own_entry;
mod peers;
pub mod platform;
pub mod predecessor;
pub mod push;
pub mod reconcile;
pub mod reports;
pub mod routers;
mod seal;
pub mod serve;
pub mod stack;
mod stop;
pub mod sweep;
mod this_host;
pub mod upkeep;
pub mod wishes;

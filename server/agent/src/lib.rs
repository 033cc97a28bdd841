//! Runs replicas on one host: converges what runs to what is desired, and reports what it observed.
//!
//! What should run where is decided by the control plane; how a process is isolated, packed and logged is the
//! business of `sandbox`, `slug` and `logs`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod agent;
mod app_trees;
mod atomic;
mod backoff;
mod busy;
mod converge;
mod engine;
mod environment;
mod health;
mod health_watch;
mod host;
mod journal;
mod listeners;
mod machine;
mod meter;
mod minutes;
mod ports;
mod probe;
mod process_identity;
mod record;
mod replica;
mod replica_dir;
mod run;
mod sandbox_engine;
mod seal;
mod supervisor;
mod words;

pub use agent::{Agent, AgentOptions};
pub use app_trees::AppTrees;
pub use atomic::Durability;
pub use busy::{Busy, wait_for_predecessor};
pub use engine::{Engine, EngineError, Instance, Memory, Usage};
pub use health::PROMPT;
pub use listeners::of_processes as listeners_of;
pub use minutes::Minutes;
pub use replica_dir::ReplicaDir;
pub use run::Run;
pub use sandbox_engine::{SandboxEngine, SandboxOptions};
pub use seal::Seal;
pub use supervisor::{cause_of, supervise_main};

//! Runs replicas on one host: converges what runs to what is desired, and reports what it observed.
//!
//! What should run where is decided by the control plane; how a process is isolated, packed and logged is the
//! business of `sandbox`, `slug` and `logs`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod agent;
mod atomic;
mod backoff;
mod converge;
mod engine;
mod environment;
mod health;
mod health_watch;
mod host;
mod journal;
mod listeners;
mod meter;
mod ports;
mod probe;
mod process_identity;
mod record;
mod replica;
mod replica_dir;
mod sandbox_engine;
mod seal;
mod supervisor;
mod words;

pub use agent::{Agent, AgentOptions};
pub use engine::{Engine, EngineError, Instance, Memory, Usage};
pub use health::PROMPT;
pub use sandbox_engine::{SandboxEngine, SandboxOptions};
pub use seal::Seal;
pub use supervisor::supervise_main;

//! Runs replicas on one host: converges what runs to what is desired, and reports what it observed.
//!
//! What should run where is decided by the control plane; how a process is isolated, packed and logged is the
//! business of `sandbox`, `slug` and `logs`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod backoff;
mod converge;

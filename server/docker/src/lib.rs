#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Runs replicas and builds in containers of the host's Docker Engine, and makes the image that they run on.
//!
//! What a program may see and use is decided elsewhere, as a [`sandbox::Sandbox`]; here it becomes a container. Containers,
//! networks and images that do not carry our labels are never touched.

mod builds;
mod container;
mod daemon;
mod engine;
mod images;
mod input;
mod labels;
mod rootfs;
mod stack;

pub use builds::BuildContainers;
pub use daemon::{Daemon, DaemonError};
pub use engine::{DockerEngine, DockerOptions, bridges};
pub use stack::{Progress, STACK, Stack, build_stack, find_stack, list_stacks};

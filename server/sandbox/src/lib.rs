#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Runs untrusted programs: under bubblewrap, as their own user, with limits.
//!
//! A [`Sandbox`] is a value; [`Sandbox::arguments`] turns it into an argument list and decides
//! everything, [`Sandbox::command`] only carries it out. When to start, watch or stop a program is
//! not decided here.
//!
//! Values of environment variables never stand in process arguments, and nothing with privileges ever
//! reads them: see [`Environment`].

mod arguments;
mod cgroup;
mod cgroup_support;
mod check;
mod command;
mod environment;
mod error;
mod etc;
mod firewall;
mod host;
mod host_sockets;
mod log_pipe;
mod mark;
mod processes;
mod remove_tree;
mod seccomp;
mod spec;

pub use arguments::Arguments;
pub use cgroup::{Cgroup, Usage};
pub use cgroup_support::{CgroupSupport, CgroupVersion, Controller};
pub use check::check;
pub use environment::Environment;
pub use error::SandboxError;
pub use etc::etc_binds;
pub use firewall::{Firewall, Reach};
pub use host::{HostFacts, Privilege, RootEntry};
pub use host_sockets::{host_sockets_in_reach, leave_host_sockets};
pub use log_pipe::log_pipe;
pub use mark::mark;
pub use processes::{descendants, init_of, signal_all};
pub use remove_tree::remove_tree;
pub use rustix::process::{Pid, Signal};
pub use spec::{Bind, Identity, Limits, Mode, Sandbox};

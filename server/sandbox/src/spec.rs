//! What a sandbox is: who runs what, with which files, environment and limits.
//!
//! Plain values. How they become a command line is decided in `arguments`.

use std::{ffi::OsString, path::PathBuf};

use crate::Environment;

/// The user and group a program runs as on a host where the platform is root.
///
/// Never root: [`Identity::new`] refuses 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    uid: u32,
    gid: u32,
}

impl Identity {
    /// Returns the identity, or nothing for root's user or group.
    pub fn new(uid: u32, gid: u32) -> Option<Self> {
        (uid != 0 && gid != 0).then_some(Self { uid, gid })
    }

    /// The user id.
    pub fn uid(self) -> u32 {
        self.uid
    }

    /// The group id.
    pub fn gid(self) -> u32 {
        self.gid
    }
}

/// What a program may do with a bound file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read and execute.
    ReadOnly,
    /// Whatever the permissions of the files allow.
    ReadWrite,
}

/// A file or directory of the host shown inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The absolute path on the host.
    pub source: PathBuf,
    /// The absolute path inside. Never below a bind that a program has written to: a link may stand in
    /// the way by now, and root would follow it.
    pub target: PathBuf,
    /// What may be done with it.
    pub mode: Mode,
    /// Whether a missing source is passed over; otherwise the start fails.
    pub optional: bool,
}

impl Bind {
    /// Returns a bind that shows `source` read-only at `target`.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), mode: Mode::ReadOnly, optional: false }
    }

    /// Returns a bind that shows `source` writable at `target`.
    pub fn read_write(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { mode: Mode::ReadWrite, ..Self::read_only(source, target) }
    }
}

/// How much of the host a program may use. Limits that need a cgroup are left out where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory with swap, in bytes; needs the cgroup controller `memory`.
    pub memory_bytes: Option<u64>,
    /// Hard limit in percent of one core, so 200 is two cores; needs the controller `cpu`.
    pub cpu_percent: Option<u32>,
    /// Share of the processor when it is busy, relative to others; the kernel's default is 1024.
    pub cpu_shares: Option<u32>,
    /// Processes and threads; without the controller `pids`, the limit per user (root only).
    pub pids: Option<u32>,
    /// Open files per process.
    pub open_files: u64,
    /// The largest file a process may write, in bytes.
    pub file_bytes: Option<u64>,
    /// Size of `/tmp`, `/var/tmp` and `/dev/shm`, each in bytes. They are memory and count as such.
    pub tmp_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: None,
            cpu_percent: None,
            cpu_shares: None,
            pids: None,
            open_files: 65_536,
            file_bytes: None,
            tmp_bytes: 512 << 20,
        }
    }
}

/// One program to run, and all it may see and use.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Who it runs as; a host where the platform is not root has only one user and passes it over.
    pub identity: Identity,
    /// Files shown beside the stack, in this order; a later one may lie inside an earlier one.
    pub binds: Vec<Bind>,
    /// The working directory inside.
    pub workdir: PathBuf,
    /// All of its environment.
    pub environment: Environment,
    /// The host name it sees.
    pub hostname: Option<String>,
    /// Whether it shares the host's network; otherwise it has an empty one.
    pub network: bool,
    /// The program, found by the `PATH` of its environment, and its arguments. Visible to all of the
    /// host: never put a secret here.
    pub command: Vec<OsString>,
    /// How much it may use.
    pub limits: Limits,
    /// The name of its cgroup below `paas`: letters, digits, `-`, `_` and `.`.
    pub cgroup: Option<String>,
}

impl Sandbox {
    /// Returns a sandbox for `command` in `/` with the network, the stack and nothing else.
    pub fn new(identity: Identity, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            identity,
            binds: Vec::new(),
            workdir: PathBuf::from("/"),
            environment: Environment::base(),
            hostname: None,
            network: true,
            command: command.into_iter().map(Into::into).collect(),
            limits: Limits::default(),
            cgroup: None,
        }
    }
}

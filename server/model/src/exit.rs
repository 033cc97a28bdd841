//! How a process ended, and how that is said.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why it ended.
    pub cause: ExitCause,
    /// When, in UTC.
    pub at: jiff::Timestamp,
    /// The last lines it wrote, at most twenty, oldest first.
    pub last_lines: Vec<String>,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCause {
    /// It returned this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The kernel ended it for its memory limit, in MB.
    OutOfMemory(u64),
    /// The platform ended it because it ran for longer than it may, in seconds.
    TimeLimit(u32),
    /// It never ran: the last lines say why.
    NotStarted,
    /// Nobody saw how: the machine or its supervisor went down.
    Lost,
}

impl ExitCause {
    /// Tells whether it returned 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(126) => f.write_str("exited with status 126 (the command cannot be executed)"),
            Self::Code(127) => f.write_str("exited with status 127 (command not found)"),
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "was ended by {name}"),
                None => write!(f, "was ended by signal {signal}"),
            },
            Self::OutOfMemory(limit) => {
                write!(
                    f,
                    "was ended because it used more than its {limit} MB of memory (files in /tmp count)"
                )
            }
            Self::TimeLimit(seconds) => write!(f, "was ended because it ran for longer than {seconds} s"),
            Self::NotStarted => f.write_str("could not be started"),
            Self::Lost => f.write_str("went down with its host or supervisor"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return None,
    })
}

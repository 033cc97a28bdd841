//! What can go wrong with a sandbox, in sentences that name the remedy.

use std::{io, path::PathBuf};

/// Why a sandbox cannot be made, or a running one not be read or ended.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A program that every sandbox needs is missing.
    #[error("`{program}` is not installed; `apt-get install {package}` installs it")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// The kernel or an administrator forbids what a sandbox needs.
    #[error("this host does not let an ordinary user make a sandbox: {0}")]
    Forbidden(String),
    /// The trial run failed for another reason.
    #[error("a trial run in a sandbox failed: {0}")]
    Trial(String),
    /// The filter of system calls cannot be made for this machine.
    #[error("cannot make the filter of system calls: {0}")]
    Filter(String),
    /// The name of an environment variable cannot be passed on.
    #[error("`{0}` cannot be the name of an environment variable; letters, digits and underscores can")]
    VariableName(String),
    /// The value of an environment variable cannot be passed on.
    #[error("the value of `{0}` holds a NUL byte, which no environment variable can")]
    VariableValue(String),
    /// The name of a cgroup could lead elsewhere.
    #[error("`{0}` cannot be the name of a cgroup; letters, digits, `-`, `_` and `.` can")]
    CgroupName(String),
    /// A file of ours, of a cgroup or of `/proc` could not be read or written.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried, such as `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A call to the kernel failed.
    #[error("cannot {verb}")]
    Kernel {
        /// What was tried.
        verb: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Something went on for longer than it may.
    #[error("the processes of cgroup {0} are still there after being killed")]
    StillAlive(String),
}

impl SandboxError {
    /// Returns a closure for `map_err` that says what was tried with which file.
    pub(crate) fn file(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { verb, path, source }
    }

    /// Returns a closure for `map_err` that says which call failed.
    pub(crate) fn kernel<E: Into<io::Error>>(verb: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Kernel { verb, source: source.into() }
    }
}

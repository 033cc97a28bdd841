//! The environment of a sandboxed program, and how it gets there.
//!
//! The values are secrets and are chosen by the owner of an app. As arguments (`--setenv`) every user of
//! the host could read them. As plain variables of bubblewrap they would act on it: `LD_PRELOAD` would
//! load the app's code into a process of root. So they travel under names with a prefix that means
//! nothing to any program, and a shell that has already dropped all privileges gives them their own
//! names.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
};

use crate::SandboxError;

/// The prefix of a variable on its way through privileged processes.
pub(crate) const PREFIX: &str = "SANDBOX_ENV_";

/// Runs in bash without privileges: gives each variable its own name and becomes the program.
///
/// `unset` first: `RANDOM`, `SECONDS` and their like lose their special meaning by it. What changes bash
/// itself comes last: values are bytes in whatever locale. Before all that, descriptors are closed that somebody left
/// open on the way from whatever started the server: they could be sockets of the host.
pub(crate) const UNWRAP: &str = r#"unset SHLVL
for _sandbox in /proc/self/fd/*; do
    _sandbox=${_sandbox##*/}
    if [ "$_sandbox" -gt 2 ]; then exec {_sandbox}>&-; fi
done
{
for _sandbox in "${!SANDBOX_ENV_@}"; do
    case ${_sandbox#SANDBOX_ENV_} in
        LC_*|LANG|POSIXLY_CORRECT) continue ;;
        UID|EUID|PPID|BASHOPTS|SHELLOPTS|BASH_VERSINFO) unset "$_sandbox"; continue ;;
    esac
    unset "${_sandbox#SANDBOX_ENV_}"
    export "${_sandbox#SANDBOX_ENV_}=${!_sandbox}"
    unset "$_sandbox"
done
for _sandbox in "${!SANDBOX_ENV_@}"; do
    export "${_sandbox#SANDBOX_ENV_}=${!_sandbox}"
    unset "$_sandbox"
done
unset _sandbox
} 2>/dev/null
exec "$@""#;

/// The variables of a program: names that a shell accepts, values of any bytes without NUL.
///
/// `Debug` shows names only. `UID`, `EUID`, `PPID`, `BASHOPTS`, `SHELLOPTS`, `BASH_VERSINFO` and `_` do
/// not arrive: bash keeps these names for itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Returns what every program of the stack has: `HOME` is `/app`, a `PATH`, and a UTF-8 locale.
    pub fn base() -> Self {
        let base = [
            ("HOME", "/app"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("SHELL", "/bin/bash"),
            ("USER", "app"),
        ];
        Self(base.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Sets a variable, in place of an earlier value.
    ///
    /// Fails for a name that is not of letters, digits and underscores or starts with a digit, and for
    /// a value with a NUL byte; the error never holds the value.
    pub fn set(&mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Result<(), SandboxError> {
        let (name, value) = (name.into(), value.as_ref());
        let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !word || name.as_bytes()[0].is_ascii_digit() {
            return Err(SandboxError::VariableName(name));
        }
        if value.as_bytes().contains(&0) {
            return Err(SandboxError::VariableValue(name));
        }
        self.0.insert(name, value.to_owned());
        Ok(())
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// Returns names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// Returns the variables under the names that mean nothing to privileged processes.
    pub(crate) fn wrapped(&self) -> impl Iterator<Item = (String, &OsStr)> {
        self.0.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value.as_os_str()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

//! The git repository we stand in: its remotes and how git finds the token. The `git` command does the work.

use std::process::{Command, Stdio};

use model::name::AppName;

use crate::address::{self, Address};
use crate::error::{Error, Result};

/// The remote that belongs to the platform.
pub(crate) const REMOTE: &str = "paas";

/// Returns what a git command writes to stdout, or `None` if it fails or git is not installed.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn must(arguments: &[&str]) -> Result<()> {
    let what = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    git(arguments).map(drop).ok_or_else(|| Error::failed(format!("`git {what}` failed")))
}

/// Returns the version of git, such as `2.39.5`, if it is installed.
pub(crate) fn version() -> Option<String> {
    git(&["--version"]).map(|text| text.trim_start_matches("git version ").to_owned())
}

/// Tells whether we stand in a git repository.
pub(crate) fn is_repository() -> bool {
    git(&["rev-parse", "--git-dir"]).is_some()
}

/// Returns the address of a remote as it was configured.
pub(crate) fn remote_url(remote: &str) -> Option<String> {
    // Not `git remote get-url`: it shows what `insteadOf` makes of the address.
    git(&["config", "--get", &format!("remote.{remote}.url")])
}

/// Returns the app that a remote leads to.
pub(crate) fn app_of_remote(remote: &str) -> Option<AppName> {
    address::app_of(&remote_url(remote)?)
}

/// Returns the branch that is checked out.
pub(crate) fn branch() -> Option<String> {
    git(&["symbolic-ref", "--short", "HEAD"])
}

/// Adds a remote.
///
/// # Errors
/// Git refuses.
pub(crate) fn add_remote(remote: &str, url: &str) -> Result<()> {
    must(&["remote", "add", remote, url])
}

/// Changes the address of a remote.
///
/// # Errors
/// Git refuses.
pub(crate) fn set_remote(remote: &str, url: &str) -> Result<()> {
    must(&["remote", "set-url", remote, url])
}

/// Makes this repository ask `paasctl git:credentials` for the token of this server, and of this server only.
///
/// # Errors
/// Git refuses, or the path of this program is unknown.
pub(crate) fn use_our_credentials(server: &Address) -> Result<()> {
    let program = std::env::current_exe().map_err(|error| Error::failed(error.to_string()))?;
    let program = program.to_string_lossy();
    let quoted =
        shlex::try_quote(&program).map_err(|_| Error::failed("the path of paasctl holds a NUL byte"))?;
    let key = helper_key(server);
    // The empty one first: it keeps other helpers from storing the token.
    must(&["config", "--local", "--replace-all", &key, ""])?;
    must(&["config", "--local", "--add", &key, &format!("!{quoted} git:credentials")])
}

/// Tells whether this repository asks us for the token of this server.
pub(crate) fn uses_our_credentials(server: &Address) -> bool {
    git(&["config", "--get-all", &helper_key(server)]).is_some_and(|all| all.contains("git:credentials"))
}

fn helper_key(server: &Address) -> String {
    format!("credential.{}://{}.helper", server.scheme(), server.authority())
}

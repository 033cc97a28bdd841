//! Keeps what a thread starts off the abstract Unix sockets of the host: they have no file that could be out of sight,
//! and belong to the network, which is the host's.

use landlock::{CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetError, Scope};

/// Cuts this thread, and all threads and programs that it starts from now on, off the abstract Unix sockets of the rest
/// of the host, for good. Among themselves they go on using them.
///
/// Does nothing where the kernel cannot do it, see [`host_sockets_in_reach`].
pub fn leave_host_sockets() {
    if let Ok(ruleset) = ruleset()
        && let Err(error) = ruleset.restrict_self()
    {
        tracing::warn!(%error, "what is started here can reach abstract sockets of the host");
    }
}

/// Returns a sentence about why abstract sockets stay within reach, if they do.
pub fn host_sockets_in_reach() -> Option<String> {
    let sentence = "Apps and builds can reach abstract Unix sockets of this host, which takes Landlock of Linux 6.12 to prevent";
    ruleset().err().map(|error| format!("{sentence}: {error}."))
}

fn ruleset() -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset.scope(Scope::AbstractUnixSocket)?.create()
}

//! Finds out whether sandboxes work here, and says what helps where they do not.

use std::{fs, process::Stdio};

use crate::{Environment, HostFacts, Identity, Privilege, Sandbox, SandboxError};

/// Runs `true` in a sandbox.
///
/// Fails with a sentence that names the setting to change. Blocks for some milliseconds.
pub fn check(host: &HostFacts, identity: Identity) -> Result<(), SandboxError> {
    let trial = Sandbox { environment: Environment::default(), ..Sandbox::new(identity, ["/bin/true"]) };
    let mut command = trial.command(host)?;
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(SandboxError::kernel("start a sandbox"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(explain(host.privilege, &stderr, |name| {
        fs::read_to_string(format!("/proc/sys/{name}")).ok().map(|value| value.trim().to_owned())
    }))
}

/// The settings that keep an ordinary user from user namespaces: name, forbidding value, remedy.
const HINDRANCES: [(&str, &str, &str); 3] = [
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor restricts user namespaces; `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows them",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are off; `sysctl -w kernel.unprivileged_userns_clone=1` allows them",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "no user namespaces may be made; `sysctl -w user.max_user_namespaces=10000` allows them",
    ),
];

/// Turns bubblewrap's last words into a sentence that helps.
fn explain(privilege: Privilege, stderr: &str, setting: impl Fn(&str) -> Option<String>) -> SandboxError {
    let said = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    let hindered = HINDRANCES.iter().find(|(name, value, _)| setting(name).as_deref() == Some(*value));
    match hindered {
        Some((_, _, remedy)) if privilege == Privilege::User => SandboxError::Forbidden((*remedy).to_owned()),
        _ if said.contains("namespace") || said.contains("Operation not permitted") => {
            let remedy = "a container needs `--privileged` or a seccomp profile that allows namespaces";
            SandboxError::Trial(format!("{said}; {remedy}"))
        }
        _ => SandboxError::Trial(said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidding_setting_is_named_with_its_remedy() {
        let setting = |name: &str| (name == "user/max_user_namespaces").then(|| "0".to_owned());
        let error = explain(Privilege::User, "bwrap: Creating new namespace failed\n", setting);
        assert!(error.to_string().ends_with("`sysctl -w user.max_user_namespaces=10000` allows them"));
    }

    #[test]
    fn other_failures_are_told_in_the_words_of_bubblewrap() {
        let error = explain(Privilege::Root, "\nbwrap: Can't find source path /x: No such file\n", |_| None);
        let expected = "a trial run in a sandbox failed: bwrap: Can't find source path /x: No such file";
        assert_eq!(error.to_string(), expected);
    }
}

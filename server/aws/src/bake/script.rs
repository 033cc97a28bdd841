//! The script that makes a builder an image: user data, which runs as root at the first start.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Engine, Item, Recipe};

/// How long user data may be, in bytes ("Run commands when you launch an EC2 instance", EC2's guide).
pub const SCRIPT_BYTES: usize = 16 * 1024;

/// The packages of Debian that a host needs, each after a program or file that shows that it is there.
const PACKAGES: &[(&str, &str)] = &[
    ("bwrap", "bubblewrap"),
    ("mksquashfs", "squashfs-tools"),
    ("setpriv", "util-linux"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/bin/python3", "python3"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ("curl", "curl"),
];
const DOCKER: (&str, &str) = ("/usr/sbin/dockerd", "docker.io");

/// The service that runs the agent.
const SERVICE: &str = include_str!("../../../../packaging/paas-agent.service");

/// The script is longer than AWS takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the builder's script has {bytes} bytes, and AWS takes {SCRIPT_BYTES}: each slug needs an address in it"
)]
pub struct TooLong {
    /// How long it is.
    pub bytes: usize,
}

/// Returns the script; `urls` has an address for the key of each item.
///
/// # Errors
/// It is too long.
pub fn script(recipe: &Recipe, urls: &BTreeMap<String, String>) -> Result<String, TooLong> {
    let script = written(recipe, recipe.fingerprint().as_str(), urls);
    if script.len() > SCRIPT_BYTES { Err(TooLong { bytes: script.len() }) } else { Ok(script) }
}

/// Returns the script, however long. Without addresses it is the same for equal recipes.
pub(super) fn written(recipe: &Recipe, fingerprint: &str, urls: &BTreeMap<String, String>) -> String {
    let docker = recipe.engine == Engine::Docker;
    let packages = PACKAGES.iter().chain(docker.then_some(&DOCKER));
    let packages: Vec<String> = packages.map(|(shows, name)| quoted(&format!("{shows}={name}"))).collect();
    let stack = "\n  begin \"stack\"\n  /opt/paas/bin/paasd stack build\n";
    include_str!("script.sh")
        .replace("FINGERPRINT", &quoted(fingerprint))
        .replace("PACKAGES", &packages.join(" "))
        .replace("FETCHES\n", &fetches(&recipe.items(), urls))
        .replace("SERVICE\n", SERVICE)
        .replace("STACK\n", if docker { stack } else { "\n" })
}

fn fetches(items: &[Item], urls: &BTreeMap<String, String>) -> String {
    let mut lines = String::new();
    for item in items {
        let url = urls.get(&item.key).map(String::as_str).unwrap_or_default();
        let words = [url, item.digest.as_str(), &item.path, item.mode].map(quoted);
        // Writing into a string cannot fail.
        let _ = writeln!(lines, "  fetch {}", words.join(" "));
    }
    lines
}

/// Returns a word that a shell reads back as it was. A NUL, which no shell can have, ends it.
fn quoted(word: &str) -> String {
    let word = word.split('\0').next().unwrap_or_default();
    shlex::try_quote(word).map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::super::recipe::tests::recipe;
    use super::*;

    fn bash(script: &str) -> String {
        let output = Command::new("bash").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_script_is_one_for_bash_and_has_no_blank_left() {
        let recipe = Recipe { engine: Engine::Docker, ..recipe() };
        let urls =
            BTreeMap::from([(recipe.items()[0].key.clone(), "https://b.example/x?a=1&b=2".to_owned())]);
        let script = script(&recipe, &urls).unwrap();
        assert!(script.starts_with("#!/bin/bash\n"));
        assert!(Command::new("bash").args(["-n", "-c", &script]).status().unwrap().success());
        for blank in ["FINGERPRINT", "PACKAGES", "FETCHES", "SERVICE\n", "STACK\n"] {
            assert!(!script.contains(blank), "{blank}");
        }
        assert!(script.contains("docker.io") && script.contains("stack build"));
        assert!(script.contains(&format!("fingerprint={}\n", recipe.fingerprint())));
        assert!(script.contains("\nWantedBy=multi-user.target\nUNIT\n"), "{script}");
    }

    #[test]
    fn more_slugs_than_fit_are_refused() {
        let warm = (0..200).map(|n| format!("{n:064x}").parse().unwrap()).collect();
        let refused = script(&Recipe { warm, ..recipe() }, &BTreeMap::new()).unwrap_err();
        assert!(refused.bytes > SCRIPT_BYTES);
    }

    #[test]
    fn a_failure_says_at_which_step_and_with_which_line_and_not_what_it_was_doing() {
        let script = script(&recipe(), &BTreeMap::new()).unwrap();
        let (head, _) = script.split_once("\nmain() {").unwrap();
        let told = bash(&format!("{head}\noff() {{ exit; }}\nbegin 'some step'\nfalse secret\necho never\n"));
        let last = told.lines().last().unwrap();
        assert!(last.starts_with("paas-bake: failed some step: line "), "{told}");
        assert!(!told.contains("secret") && !told.contains("never"), "{told}");
    }

    #[test]
    fn what_has_another_digest_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("deep/to"));
        std::fs::write(&from, "some bytes").unwrap();
        let script = script(&recipe(), &BTreeMap::new()).unwrap();
        let (head, _) = script.split_once("\nmain() {").unwrap();
        let fetch = |digest: &str| {
            let url = format!("file://{}", from.display());
            bash(&format!(
                "{head}\noff() {{ exit; }}\nfetch {url} {digest} {} 0755\necho fetched",
                to.display()
            ))
        };
        assert!(fetch(&"0".repeat(64)).contains("paas-bake: failed"));
        assert!(!to.exists());
        let digest =
            super::super::program::digest(sha2::Digest::chain_update(sha2::Sha256::default(), "some bytes"));
        assert!(fetch(digest.as_str()).contains("fetched"));
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "some bytes");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn an_address_reaches_the_machine_as_it_is(url in "[ -~\n]{0,60}") {
            let urls = BTreeMap::from([(recipe().items()[0].key.clone(), url.clone())]);
            let lines = fetches(&recipe().items(), &urls);
            prop_assert_eq!(bash(&format!("fetch() {{ printf '%s|' \"$1\" \"$4\"; }}\n{lines}")), format!("{url}|0755|"));
        }
    }
}

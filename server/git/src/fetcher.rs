//! As whom git asks servers of strangers, and what it sees and may use for that.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sandbox::{Bind, Environment, HostFacts, Identity, Limits, Sandbox, SandboxError};

use crate::{SubmoduleLimits, command};

/// What an administrator has set up for reaching the web; nothing else is passed on.
const PASSED_ON: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Only the web, no passwords, no endless trickle, and memory that stays bounded.
const SETTINGS: [&str; 10] = [
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "credential.helper=",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "core.bigFileThreshold=32m",
    "pack.threads=1",
    "fetch.unpackLimit=1",
    "gc.auto=0",
];
/// Makes the repository, unless it is there, and fetches into it.
const SCRIPT: &str = r#"git init --quiet --bare --template= && exec git "$@""#;
/// Where it lies inside.
const PLACE: &str = "/repository";

/// Memory of one fetch. A repository of a gigabyte in a million objects takes about half.
pub(crate) const MEMORY_BYTES: u64 = 1 << 30;
/// git and its helpers are a dozen; without a cgroup the app's own processes count, too.
const PIDS: u32 = 512;
const OPEN_FILES: u64 = 1024;
const TMP_BYTES: u64 = 16 << 20;

/// Asks servers that a commit names: in a sandbox, as the app's user, so that the packet filter holds for it, and so that
/// git reads what strangers send without the rights of the server.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// This host.
    pub host: Arc<HostFacts>,
    /// The app's user; where the server is not root, its own.
    pub identity: Identity,
    /// What is set up for reaching the web; git gets of it what it knows.
    pub environment: BTreeMap<String, String>,
    /// The certificates that this names, where a sandbox does not show them anyway.
    pub certificates: Vec<Bind>,
    /// The name of its cgroup, which nothing else has.
    pub cgroup: String,
}

impl Fetcher {
    /// Returns a sandbox in which git fetches `what` from `url` into the repository in `place`.
    pub(crate) fn sandbox(
        &self,
        place: &Path,
        url: &str,
        what: &[&str],
        limits: &SubmoduleLimits,
    ) -> Result<Sandbox, SandboxError> {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        let arguments = settings.chain(fetch).chain(what.iter().copied());
        let mut sandbox =
            Sandbox::new(self.identity, ["/bin/sh", "-c", SCRIPT, "sh"].into_iter().chain(arguments));
        sandbox.environment = self.environment(url)?;
        sandbox.binds = self.certificates.clone();
        sandbox.binds.push(Bind::read_write(place, PLACE));
        sandbox.workdir = PLACE.into();
        sandbox.cgroup = Some(self.cgroup.clone());
        sandbox.limits = Limits {
            memory_bytes: Some(MEMORY_BYTES),
            pids: Some(PIDS),
            open_files: OPEN_FILES,
            file_bytes: Some(limits.bytes),
            tmp_bytes: TMP_BYTES,
            ..Limits::default()
        };
        Ok(sandbox)
    }

    fn environment(&self, url: &str) -> Result<Environment, SandboxError> {
        let mut environment = Environment::base();
        for (name, value) in command::SETTLED {
            environment.set(name, value)?;
        }
        // Empty, and gone with the sandbox.
        environment.set("HOME", "/tmp")?;
        for name in PASSED_ON {
            if let Some(value) = self.environment.get(name) {
                environment.set(name, value)?;
            }
        }
        // Not as an argument: it may hold a password, and arguments are for all to see.
        environment.set("GIT_CONFIG_COUNT", "1")?;
        environment.set("GIT_CONFIG_KEY_0", "remote.origin.url")?;
        environment.set("GIT_CONFIG_VALUE_0", url)?;
        Ok(environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_and_the_way_to_it_are_in_the_environment_and_never_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let environment = [("https_proxy", "http://me:pw@proxy"), ("PIP_INDEX_URL", "https://me:pw@index")];
        let fetcher = Fetcher {
            host: Arc::new(HostFacts::detect(dir.path()).unwrap()),
            identity: Identity::new(234_590, 234_590).unwrap(),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            certificates: vec![Bind::read_only("/root/ca.pem", "/root/ca.pem")],
            cgroup: "source".to_owned(),
        };
        let limits = SubmoduleLimits { bytes: 1_234, ..SubmoduleLimits::default() };
        let url = "https://me:s3cret@example.org/lib.git";
        let sandbox = fetcher.sandbox(dir.path(), url, &["origin"], &limits).unwrap();
        assert!(sandbox.command.iter().all(|word| !word.to_string_lossy().contains("example.org")));
        let value = |name| sandbox.environment.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("GIT_CONFIG_VALUE_0"), Some(url));
        assert_eq!((value("https_proxy"), value("PIP_INDEX_URL")), (Some("http://me:pw@proxy"), None));
        let shown = [Bind::read_only("/root/ca.pem", "/root/ca.pem"), Bind::read_write(dir.path(), PLACE)];
        assert_eq!((&sandbox.binds[..], sandbox.limits.file_bytes), (&shown[..], Some(1_234)));
    }
}

//! What instances are made from: the image that the cloud has for them, and a script that makes a machine join.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};

use cloud::Recipe;
use serde::Serialize;

use crate::options::Options;
use crate::platform::Platform;

/// Where a host's agent keeps all that must last.
const DATA_DIR: &str = "/var/lib/paas";

/// Where a machine asks who it is.
const METADATA: &str = "http://169.254.169.254";

/// What the agent of a new host is told. It is not secret but for what lets it join, which works once and for minutes.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct AgentFile<'a> {
    server: &'a [String],
    launch_secret: &'a str,
    data_dir: &'a str,
    metadata: &'a str,
    behind_balancer: bool,
    /// The certificate by which it knows the platform, as PEM.
    authority: &'a str,
}

/// How hosts of this platform are made.
pub(super) struct HostRecipe {
    servers: Vec<String>,
    authority: String,
    image: Mutex<String>,
}

impl HostRecipe {
    pub(super) fn of(platform: &Platform) -> Self {
        let authority = platform.agents.authority_pem().to_owned();
        Self { servers: servers(&platform.options), authority, image: Mutex::default() }
    }

    /// Has instances made from this image from now on.
    pub(super) fn set_image(&self, image: String) {
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = image;
    }
}

impl Recipe for HostRecipe {
    fn image(&self) -> String {
        self.image.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn user_data(&self, secret: &str) -> String {
        let file = AgentFile {
            server: &self.servers,
            launch_secret: secret,
            data_dir: DATA_DIR,
            metadata: METADATA,
            behind_balancer: true,
            authority: &self.authority,
        };
        let file = toml::to_string(&file).expect("lists and texts can be written as TOML");
        include_str!("join.sh").replace("AGENT_FILE\n", &file)
    }
}

/// Returns where hosts call: as it was said, or this server alone.
fn servers(options: &Options) -> Vec<String> {
    if !options.agent_urls.is_empty() {
        return options.agent_urls.iter().map(ToString::to_string).collect();
    }
    let own = options.agent_listen.map(|listen| match listen.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(own_address(), listen.port()),
        _ => listen,
    });
    own.iter().map(|address| format!("https://{address}")).collect()
}

/// Returns the address that this machine has in its network: the one it would call another network from. Nothing is sent.
pub(crate) fn own_address() -> IpAddr {
    // Of the network for documentation, RFC 5737.
    let elsewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect(elsewhere).and_then(|()| socket.local_addr()));
    asked.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn recipe() -> HostRecipe {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\"'$(id)\\n+/=\n-----END CERTIFICATE-----\n";
        let servers = vec!["https://10.0.0.1:5001".to_owned(), "https://10.0.0.2:5001".to_owned()];
        HostRecipe { servers, authority: pem.to_owned(), image: Mutex::default() }
    }

    #[test]
    fn what_a_machine_reads_is_small_and_sane_and_becomes_its_agents_file() {
        let (recipe, dir) = (recipe(), tempfile::tempdir().unwrap());
        let script = recipe.user_data("5ec3e7");
        assert!(script.starts_with("#!") && script.len() < 16_384, "EC2 takes 16 KB");
        let here = script.replace("/etc/paas", dir.path().to_str().unwrap());
        let file = here.split("\n# It runs").next().unwrap();
        assert!(Command::new("bash").args(["-c", file]).status().unwrap().success());
        let path = dir.path().join("agent.toml");
        let read: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(read["authority"].as_str(), Some(recipe.authority.as_str()));
        assert_eq!(read["launch-secret"].as_str(), Some("5ec3e7"));
        assert_eq!(read["server"].as_array().map(Vec::len), Some(2));
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_script_is_one_for_bash() {
        let script = recipe().user_data("5ec3e7");
        assert!(Command::new("bash").args(["-n", "-c", &script]).status().unwrap().success());
    }
}

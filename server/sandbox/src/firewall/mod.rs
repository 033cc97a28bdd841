//! Keeps apps and builds off the cloud's metadata, the control plane, and each other's ports, by the kernel's packet
//! filter.
//!
//! The rules are a table of our own and outlive the server, as replicas do. What they say is decided in `rules`; who is
//! started when is not decided here. Programs of an ordinary user share its uid with everything else of that user, so
//! there the filter cannot tell them apart.

mod rules;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

pub use rules::Reach;

use crate::Privilege;

/// How long `nft` may take, in seconds.
const WITHIN: &str = "10";

/// The rules of one server, in force.
#[derive(Debug, Clone)]
pub struct Firewall {
    table: String,
}

impl Firewall {
    /// Puts the rules into force, in the place of those of an earlier start; `own` are the ports of the replicas that
    /// run already, with their users. Blocks for some milliseconds.
    ///
    /// Tables of servers whose directory is gone are removed on the way.
    ///
    /// # Errors
    /// A sentence that says why apps can reach what they should not, and what helps.
    pub fn put_up(privilege: Privilege, reach: &Reach, own: &[(u32, u16)]) -> Result<Self, String> {
        let sentence = |why: String| {
            format!(
                "Apps and builds can reach link-local addresses, the control plane's ports and each other's: {why}."
            )
        };
        if privilege == Privilege::User {
            return Err(sentence("only root may filter by user".to_owned()));
        }
        let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        nft(&["-f", "-"], &reach.rules(own, &resolv_conf)).map_err(sentence)?;
        sweep();
        Ok(Self { table: Reach::table(&reach.data_dir) })
    }

    /// Keeps a port, that of a replica, for its own app's user among all apps. May be repeated.
    ///
    /// # Errors
    /// Why it stays open to other apps; all else works.
    pub fn keep(&self, uid: u32, port: u16) -> Result<(), String> {
        nft(&["-f", "-"], &rules::change("add", &self.table, uid, port)).map(drop)
    }

    /// Forgets the port of a replica that is gone. Does nothing where it is not kept.
    ///
    /// # Errors
    /// Why it stays.
    pub fn forget(&self, uid: u32, port: u16) -> Result<(), String> {
        // Deleting what is not there is an error, and adding what is there is none.
        let script = ["add", "delete"].map(|verb| rules::change(verb, &self.table, uid, port)).concat();
        nft(&["-f", "-"], &script).map(drop)
    }

    /// Removes the rules of a server. Does nothing where there are none.
    pub fn take_down(data_dir: &Path) {
        delete(&Reach::table(data_dir));
    }
}

/// Removes the tables of servers whose data directory does not exist any more: nothing else can be theirs.
fn sweep() {
    let Ok(tables) = nft(&["list", "tables", "inet"], "") else { return };
    for table in tables.lines().filter_map(|line| line.strip_prefix("table inet ")) {
        if !table.starts_with("paas_") {
            continue;
        }
        let Ok(content) = nft(&["-t", "list", "table", "inet", table], "") else { continue };
        let comment =
            content.lines().find_map(|line| line.trim().strip_prefix("comment \"")?.strip_suffix('"'));
        if comment.is_some_and(|directory| !Path::new(directory).exists()) {
            delete(table);
        }
    }
}

fn delete(table: &str) {
    // Made first, since deleting what is not there is an error.
    let _ = nft(&["-f", "-"], &format!("table inet {table}\ndelete table inet {table}\n"));
}

/// Runs `nft` with an input, and returns its output or the first line of its complaint.
fn nft(arguments: &[&str], input: &str) -> Result<String, String> {
    let io = |error: std::io::Error| format!("`nft` cannot be run: {error}");
    let mut child = Command::new("timeout")
        .args(["--signal=KILL", WITHIN, "nft"])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io)?;
    // One that ended before it read everything says why on its standard error.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(io)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // As `timeout(1)` says it.
    if output.status.code() == Some(127) {
        return Err("`nft` is not installed; `apt-get install nftables` installs it".to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    Err(format!("`nft` refuses the rules: {said}"))
}

//! What of a data directory may be in the Docker Engine: a container that runs for each replica, and networks of apps that
//! have one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::ledger::Ledger;

/// Returns what should not be there, or is missing.
pub(super) fn judge(data: &Path, ledger: &Ledger) -> Result<(), String> {
    let format = r#"{{.Label "paas.replica"}} {{.State}} {{.Networks}}"#;
    let listed = of_ours(&["ps", "--all"], data, format);
    let mut networks = BTreeSet::new();
    let mut replicas = BTreeSet::new();
    for container in &listed {
        let words: Vec<&str> = container.split(' ').collect();
        let [replica, "running", network] = words.as_slice() else {
            return Err(format!("a container that should not be there: {container}"));
        };
        replicas.insert((*replica).to_owned());
        networks.insert((*network).to_owned());
    }
    let expected: BTreeSet<String> = ledger.replicas.keys().cloned().collect();
    if replicas != expected || listed.len() != expected.len() {
        return Err(format!("replicas {expected:?} have the containers {listed:?}"));
    }
    let present: BTreeSet<String> = of_ours(&["network", "ls"], data, "{{.Name}}").into_iter().collect();
    if present == networks { Ok(()) } else { Err(format!("networks {present:?}, in use are {networks:?}")) }
}

/// Returns the first process of a replica's container, as this host sees it.
pub(super) fn first_process(data: &Path, replica: &str) -> Option<u32> {
    let name = format!("paas-{}-{replica}", sandbox::mark(&data.join("agent")));
    docker(&["inspect", "--format", "{{.State.Pid}}", &name]).parse().ok().filter(|pid| *pid != 0)
}

fn of_ours(command: &[&str], data: &Path, format: &str) -> Vec<String> {
    let filter = format!("label=paas.server={}", sandbox::mark(&data.join("agent")));
    let text = docker(&[command, &["--no-trunc", "--filter", &filter, "--format", format]].concat());
    text.lines().map(str::to_owned).collect()
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

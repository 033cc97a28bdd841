//! The labels by which our containers and networks are known: whose they are, and what of.

use std::collections::HashMap;
use std::path::Path;

use model::id::ReplicaId;
use model::replica::ReplicaSpec;
use sha2::{Digest as _, Sha256};

/// The label that says which server's something is; what does not carry it is somebody else's.
pub(crate) const MARK: &str = "paas.server";
/// The label with a replica's id.
pub(crate) const REPLICA: &str = "paas.replica";
/// The label with the memory limit in MB.
pub(crate) const MEMORY_MB: &str = "paas.memory-mb";
/// The label of what runs for a build.
pub(crate) const BUILD: &str = "paas.build";
/// The label with an app's id; of the network of builds, that word.
pub(crate) const APP: &str = "paas.app";

pub(crate) type Labels = HashMap<String, String>;

/// Returns the labels of a replica's container.
pub(crate) fn of_replica(mark: &str, spec: &ReplicaSpec) -> Labels {
    let labels = [
        (MARK, mark.to_owned()),
        (REPLICA, spec.id.to_string()),
        (APP, spec.app.to_string()),
        ("paas.app-name", spec.app_name.to_string()),
        ("paas.name", spec.name()),
        ("paas.release", spec.release.to_string()),
        (MEMORY_MB, spec.size.memory_mb().to_string()),
    ];
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the labels of a build's container.
pub(crate) fn of_build(mark: &str, name: &str) -> Labels {
    [(MARK, mark), (BUILD, name)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the filter for what has one label, and with a value another.
pub(crate) fn filter(mark: &str, label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{MARK}={mark}"), label.to_owned()])])
}

/// Returns the name of a replica's container.
pub(crate) fn container(mark: &str, id: ReplicaId) -> String {
    format!("paas-{mark}-{id}")
}

/// Returns how the names of the bridges of a server's apps begin; the kernel allows 15 characters for a name.
pub(crate) fn bridges(mark: &str) -> String {
    format!("p{}-", mark.get(..7).unwrap_or(mark))
}

/// Returns the name of the bridge of one app.
pub(crate) fn bridge(mark: &str, app: &str) -> String {
    format!("{}{}", bridges(mark), hex::encode(&Sha256::digest(app.as_bytes())[..3]))
}

/// Returns the mark of whoever uses this directory.
pub(crate) fn mark(dir: &Path) -> String {
    sandbox::mark(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_bridge_is_short_enough_for_the_kernel_and_begins_as_those_of_its_server() {
        let name = bridge("0123456789", "0190d6a0-0000-7000-8000-000000000000");
        assert!(name.len() <= 15 && name.starts_with(&bridges("0123456789")), "{name}");
    }
}

//! Clears away what a server that was killed left on the host outside the directories of its replicas.
//!
//! Replicas that run are none of it, nor is anything of another server: names tell whose they are.

use std::fs;
use std::path::Path;

use model::id::ReplicaId;
use sandbox::{Cgroup, CgroupSupport};

use crate::replica_dir::ReplicaDir;

/// The start of the names of trees that were mounted to find out whether mounting works.
const TRIAL: &str = ".trial-";

/// Ends and removes the cgroups with a prefix but those of the replicas that have a directory. Blocks.
pub(super) fn remove_cgroups(support: &CgroupSupport, prefix: &str, replicas: &Path) {
    for name in Cgroup::all(support) {
        // Looked at after the cgroup was seen: a directory is there before its cgroup, and goes after it.
        let known = |id: ReplicaId| ReplicaDir::of(replicas, id).path().exists();
        let left = name.strip_prefix(prefix).is_some_and(|id| !id.parse().is_ok_and(known));
        if left
            && let Err(error) = Cgroup::named(support, &name).and_then(|group| {
                group.kill()?;
                group.remove()
            })
        {
            tracing::warn!(%error, "a cgroup that an earlier server left stays behind");
        }
    }
}

/// Unmounts and removes trials that were cut off. Their loop devices go with the mounts. Blocks.
pub(super) fn remove_trials(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TRIAL) {
            continue;
        }
        let path = entry.path();
        // Nothing is removed below what is still mounted.
        let removed = slug::unmount_below(&path).map_err(anyhow::Error::from);
        if let Err(error) = removed.and_then(|()| Ok(fs::remove_dir_all(&path)?)) {
            tracing::warn!(error = format!("{error:#}"), "{} stays behind", path.display());
        }
    }
}

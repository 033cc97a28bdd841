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

#[cfg(test)]
mod tests {
    use sandbox::{HostFacts, Limits, Privilege};

    use super::*;

    #[test]
    fn cgroups_without_a_replica_go_and_those_of_replicas_and_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let host = HostFacts::detect(&dir.path().join("etc")).unwrap();
        let (id, mark) = (ReplicaId::new(), sandbox::mark(dir.path()));
        fs::create_dir(dir.path().join(id.to_string())).unwrap();
        let own = format!("replica.{mark}.");
        let names = [
            format!("{own}{}", ReplicaId::new()),
            format!("{own}{id}"),
            format!("replica.x{mark}.{}", ReplicaId::new()),
        ];
        for name in &names {
            Cgroup::create(&host.cgroups, name, &Limits::default()).unwrap();
        }
        // Where there are no cgroups there is nothing to leave.
        let there = !Cgroup::all(&host.cgroups).is_empty();
        remove_cgroups(&host.cgroups, &own, dir.path());
        let left = Cgroup::all(&host.cgroups);
        let found = names.each_ref().map(|name| left.contains(name));
        for name in &names {
            Cgroup::named(&host.cgroups, name).unwrap().remove().unwrap();
        }
        assert_eq!(found, [false, there, there]);
    }

    #[test]
    fn a_trial_that_was_cut_off_is_unmounted_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().join(".trial-x/mounts/image");
        fs::create_dir_all(&point).unwrap();
        fs::write(dir.path().join("desired"), "").unwrap();
        if Privilege::detect() == Privilege::Root {
            let flags = rustix::mount::MountFlags::empty();
            rustix::mount::mount("none", &point, "tmpfs", flags, None).unwrap();
            fs::write(point.join("file"), "").unwrap();
        }
        remove_trials(dir.path());
        assert!(!dir.path().join(".trial-x").exists() && dir.path().join("desired").exists());
    }
}

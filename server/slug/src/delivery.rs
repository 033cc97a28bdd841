//! Decides how a slug gets under a replica on this host: mounted in milliseconds, or unpacked.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use sandbox::{HostFacts, Identity, Privilege};

use crate::{Mounts, SlugError, Workshop, overlay, pack, remove_overlay};

/// How a slug gets under a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Mounted once, shared by all replicas, with a writable layer for each.
    Mount,
    /// Unpacked for each replica.
    Unpack,
}

/// What the decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountFacts {
    /// Only root may mount.
    pub privilege: Privilege,
    /// How a trial went, or what failed.
    pub trial: Result<(), String>,
}

impl MountFacts {
    /// Returns the decision and a sentence about it for the log.
    pub fn decide(&self) -> (Delivery, String) {
        match (self.privilege, &self.trial) {
            (Privilege::User, _) => {
                (Delivery::Unpack, "slugs are unpacked for each replica: only root may mount them".into())
            }
            (Privilege::Root, Ok(())) => {
                (Delivery::Mount, "slugs are mounted under a writable layer for each replica".into())
            }
            (Privilege::Root, Err(why)) => (
                Delivery::Unpack,
                format!("slugs are unpacked for each replica: a trial mount failed: {why}"),
            ),
        }
    }
}

/// Packs, mounts and removes a tiny slug in `directory`, which should be where replicas will live.
/// Blocks.
pub fn try_out(host: &HostFacts, directory: &Path, identity: Identity) -> MountFacts {
    let trial = match host.privilege {
        Privilege::Root => trial(host, directory, identity).map_err(|error| sentence(&error)),
        Privilege::User => Err("only root may mount".into()),
    };
    MountFacts { privilege: host.privilege, trial }
}

fn trial(host: &HostFacts, directory: &Path, identity: Identity) -> Result<(), SlugError> {
    let trial = tempfile::Builder::new()
        .prefix(".trial-")
        .tempdir_in(directory)
        .map_err(SlugError::file("make a directory in", directory))?;
    let path = |name: &str| trial.path().join(name);
    fs::create_dir(path("tree")).map_err(SlugError::file("create", path("tree")))?;
    fs::write(path("tree/file"), "").map_err(SlugError::file("write", path("tree/file")))?;
    let workshop = Workshop { host, identity, cgroup: None, limits: Default::default() };
    let packed = pack(&path("tree"), &path("image"), &workshop)?;
    let mounts = Mounts::new(&path("mounts"))?;
    let seen = mounts.mount(&packed.digest, &path("image"), identity).and_then(|lower| {
        let file = overlay(&path("replica"), &lower, identity)?.join("file");
        let owner = fs::metadata(&file).map_err(SlugError::file("read", &file))?.uid();
        let wrong = || SlugError::Refused(format!("its files belong to user {owner}"));
        (owner == identity.uid()).then_some(()).ok_or_else(wrong)
    });
    let removed = remove_overlay(&path("replica")).and(mounts.unmount(&packed.digest));
    seen.and(removed)
}

/// Returns an error with its causes.
fn sentence(error: &SlugError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_root_whose_trial_went_well_mounts() {
        let decide = |privilege, trial| MountFacts { privilege, trial }.decide();
        assert_eq!(decide(Privilege::Root, Ok(())).0, Delivery::Mount);
        let (delivery, why) = decide(Privilege::Root, Err("no loop devices".into()));
        assert_eq!(delivery, Delivery::Unpack);
        assert!(why.ends_with("a trial mount failed: no loop devices"));
        assert_eq!(decide(Privilege::User, Err("x".into())).0, Delivery::Unpack);
    }
}

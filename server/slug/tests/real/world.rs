//! A directory to make slugs in, on a host that is really there.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use sandbox::{Bind, HostFacts, Identity, Privilege, Sandbox};
use slug::{PackLimits, Packed, SlugError, Workshop, pack};

pub(crate) struct World {
    pub(crate) host: HostFacts,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { host: HostFacts::detect(&directory.path().join("etc")).unwrap(), directory }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.host.privilege == Privilege::Root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a tree as a build would, with a file, a program, a directory and links.
    pub(crate) fn tree(&self, name: &str) -> PathBuf {
        let tree = self.path(name);
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::write(tree.join("Procfile"), "web: bin/serve\n").unwrap();
        fs::write(tree.join("bin/serve"), "#!/bin/sh\necho served\n").unwrap();
        fs::set_permissions(tree.join("bin/serve"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("bin/serve", tree.join("serve")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", tree.join("absolute")).unwrap();
        tree
    }

    pub(crate) fn pack_within(&self, tree: &Path, limits: PackLimits) -> Result<Packed, SlugError> {
        if self.is_root() {
            give_away(tree);
        }
        let workshop = Workshop { host: &self.host, identity: identity(), cgroup: None, limits };
        pack(tree, &tree.with_extension("squashfs"), &workshop)
    }

    /// Packs `TREE` into `TREE.squashfs`.
    pub(crate) fn pack(&self, tree: &Path) -> Packed {
        self.pack_within(tree, PackLimits::default()).unwrap()
    }

    /// Runs a script as the app with its directory, and returns what it said.
    pub(crate) fn run_in(&self, app: &Path, identity: Identity, script: &str) -> String {
        let mut sandbox = Sandbox::new(identity, ["bash", "-c", script]);
        sandbox.binds = vec![Bind::read_write(app, "/app")];
        sandbox.workdir = "/app".into();
        let output = sandbox.command(&self.host).unwrap().output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

pub(crate) fn identity() -> Identity {
    Identity::new(234_570, 234_571).unwrap()
}

pub(crate) fn neighbour() -> Identity {
    Identity::new(234_580, 234_581).unwrap()
}

/// Gives a tree to the app's user, links themselves and not where they lead.
fn give_away(tree: &Path) {
    let owner = format!("{}:{}", identity().uid(), identity().gid());
    let status = Command::new("chown").args(["-hR", &owner]).arg(tree).status().unwrap();
    assert!(status.success());
    chown(tree, Some(identity().uid()), Some(identity().gid())).unwrap();
}

/// Makes an image by hand, for what `pack` would never make.
pub(crate) fn mksquashfs(tree: &Path, image: &Path, arguments: &[&str]) {
    let output = Command::new("mksquashfs")
        .arg(tree)
        .arg(image)
        .args(["-noappend", "-quiet", "-no-progress"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

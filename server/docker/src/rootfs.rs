//! Shows the files of a container image as the root of a container: each thing at the top of the tree is a bind of its own, in
//! an image without files. So they lie in a tree like any slug's, on a disk of their own, and belong to the app's user.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bollard::query_parameters::CreateImageOptions;
use bytes::Bytes;
use futures::TryStreamExt as _;
use model::image::{ImageConfig, SHELL};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use sandbox::{Bind, Identity};

use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};

/// The image without files.
const EMPTY: &str = "paas-empty";

/// Where the first process is shown, which reaps the others and passes signals on.
pub(crate) const INIT: &str = "/.paas/init";

/// Where Docker has it, by distribution.
const INITS: [&str; 6] = [
    "/usr/bin/docker-init",
    "/usr/libexec/docker/docker-init",
    "/usr/local/bin/docker-init",
    "/usr/local/libexec/docker/docker-init",
    "/usr/lib/docker/docker-init",
    "/usr/bin/tini-static",
];

/// What is the container's own, and not the image's.
const OWN: [&str; 5] = [".paas", "dev", "proc", "sys", "tmp"];

/// Most bytes of a list of users that one is added to.
const PASSWD_MAX: u64 = 1 << 20;

/// Returns the name of the image without files, made where it was not there.
///
/// # Errors
/// The daemon does not answer, or cannot make it.
pub(crate) async fn base(daemon: &Daemon) -> Result<String> {
    match daemon.ask("look for an image", QUICK, daemon.docker().inspect_image(EMPTY)).await {
        Ok(_) => return Ok(EMPTY.to_owned()),
        Err(DaemonError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(EMPTY.to_owned()),
        tag: Some("latest".to_owned()),
        ..CreateImageOptions::default()
    };
    let archive = tar::Builder::new(Vec::new()).into_inner().context("cannot make an archive")?;
    let archive = bollard::body_full(Bytes::from(archive));
    let said = daemon.docker().create_image(Some(options), Some(archive), None).try_collect::<Vec<_>>();
    daemon.ask("make an image", CHANGE, said).await?;
    Ok(EMPTY.to_owned())
}

/// Returns the bind that shows the first process, where this host has one.
pub(crate) fn init() -> Option<Bind> {
    let found = INITS.iter().find_map(|path| Path::new(path).canonicalize().ok())?;
    Some(Bind::read_only(found, INIT))
}

/// Returns the binds that make a fresh tree the root, and adds the app's user to those that its programs know. Blocks.
///
/// # Errors
/// The tree cannot be read, or has no shell.
pub(crate) fn show(tree: &Path, identity: Identity, image: &ImageConfig) -> Result<Vec<Bind>> {
    let tree = tree.canonicalize().with_context(|| format!("cannot find {}", tree.display()))?;
    let root = rustix::fs::open(&tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("cannot open {}", tree.display()))?;
    open(&root, SHELL, OFlags::PATH)?.with_context(|| format!("the image has no {SHELL}"))?;
    add_user(&root, identity, &image.home).context("cannot add the app's user to those of the image")?;
    let mut names: Vec<_> = fs::read_dir(&tree)
        .with_context(|| format!("cannot read {}", tree.display()))?
        // Docker takes only what is text.
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !OWN.contains(&name.as_str()))
        .collect();
    names.sort();
    let mut binds = Vec::new();
    for name in names {
        binds.extend(source(&root, &tree, &name)?.map(|source| Bind::read_write(source, format!("/{name}"))));
    }
    Ok(binds)
}

/// Returns where a name at the top of a tree leads to: a link as in the container, which is never out of the tree. One that
/// leads nowhere, and what is neither file nor directory, is left out.
fn source(root: &OwnedFd, tree: &Path, name: &str) -> Result<Option<PathBuf>> {
    let Some(found) = open(root, name, OFlags::PATH)? else { return Ok(None) };
    let path = fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).context("cannot find a file")?;
    let facts = File::from(found).metadata().context("cannot look at a file")?;
    let shown = (facts.is_dir() || facts.is_file()) && path.starts_with(tree) && path != tree;
    Ok(Some(path).filter(|_| shown))
}

/// Opens what is there with the tree as the root of all links.
fn open(root: &OwnedFd, path: &str, flags: OFlags) -> Result<Option<OwnedFd>> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NXIO) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {path} of the image")),
    }
}

/// Many programs fail for a user without a name. An image without a list of users has none that ask.
fn add_user(root: &OwnedFd, identity: Identity, home: &str) -> Result<()> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Some(list) = open(root, "/etc/passwd", flags)? else { return Ok(()) };
    let mut list = File::from(list);
    let facts = list.metadata()?;
    if !facts.is_file() || facts.len() > PASSWD_MAX {
        return Ok(());
    }
    let mut present = Vec::new();
    list.read_to_end(&mut present)?;
    list.seek(SeekFrom::End(0))?;
    let newline = if present.last().is_none_or(|last| *last == b'\n') { "" } else { "\n" };
    let home = if home.is_empty() || home.contains([':', '\n']) { "/" } else { home };
    let (uid, gid) = (identity.uid(), identity.gid());
    list.write_all(format!("{newline}app:x:{uid}:{gid}:app:{home}:{SHELL}\n").as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Returns a tree as an image of a distribution has it.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for name in ["usr/bin", "etc", "proc", "dev", "tmp", "srv"] {
            fs::create_dir_all(tree.path().join(name)).unwrap();
        }
        fs::write(tree.path().join("usr/bin/sh"), "").unwrap();
        fs::write(tree.path().join("entrypoint.sh"), "").unwrap();
        fs::write(tree.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh").unwrap();
        symlink("usr/bin", tree.path().join("bin")).unwrap();
        tree
    }

    fn shown(tree: &Path) -> Vec<(String, PathBuf)> {
        let image = ImageConfig { home: "/srv".to_owned(), ..ImageConfig::default() };
        let binds = show(tree, Identity::new(200_001, 200_001).unwrap(), &image).unwrap();
        let root = tree.canonicalize().unwrap();
        let target = |bind: &Bind| bind.target.to_str().unwrap().to_owned();
        binds.iter().map(|bind| (target(bind), bind.source.strip_prefix(&root).unwrap().to_owned())).collect()
    }

    #[test]
    fn what_is_at_the_top_is_shown_and_links_lead_where_they_do_inside() {
        let tree = tree();
        symlink("/usr", tree.path().join("absolute")).unwrap();
        symlink("/nowhere", tree.path().join("dangling")).unwrap();
        symlink("../../../etc", tree.path().join("up")).unwrap();
        let expected = [
            ("/absolute", "usr"),
            ("/bin", "usr/bin"),
            ("/entrypoint.sh", "entrypoint.sh"),
            ("/etc", "etc"),
            ("/srv", "srv"),
            ("/up", "etc"),
            ("/usr", "usr"),
        ];
        assert_eq!(shown(tree.path()), expected.map(|(name, path)| (name.to_owned(), PathBuf::from(path))));
    }

    #[test]
    fn the_apps_user_has_a_name_and_nothing_outside_is_written() {
        let tree = tree();
        shown(tree.path());
        let users = fs::read_to_string(tree.path().join("etc/passwd")).unwrap();
        assert_eq!(users.lines().last(), Some("app:x:200001:200001:app:/srv:/bin/sh"), "{users}");
        assert_eq!(users.lines().count(), 2);
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::remove_file(tree.path().join("etc/passwd")).unwrap();
        symlink(outside.path(), tree.path().join("etc/passwd")).unwrap();
        shown(tree.path());
        assert_eq!(outside.as_file().metadata().unwrap().len(), 0);
    }

    #[test]
    fn an_image_without_a_shell_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let identity = Identity::new(200_001, 200_001).unwrap();
        let error = show(tree.path(), identity, &ImageConfig::default()).unwrap_err();
        assert_eq!(error.to_string(), "the image has no /bin/sh");
    }
}

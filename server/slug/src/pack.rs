//! Packs a built tree, or the files of a container image, into an image of ours: the same gives the same bytes, wherever and
//! whenever.
//!
//! Both belong to an untrusted build, so they are read in a sandbox as the build's user: a link that
//! leads out of it leads nowhere there.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter},
    os::unix::fs::{PermissionsExt, lchown},
    path::{Path, PathBuf},
    time::Duration,
};

use model::slug::Digest;
use sandbox::{Bind, HostFacts, Identity, Privilege, Sandbox};

use tempfile::TempDir;

use crate::{
    SlugError,
    image::digest_of,
    program,
    rootfs::{Bounds, sift},
    tree::Survey,
};

/// What a slug may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackLimits {
    /// The size of the image, in bytes.
    pub slug_bytes: u64,
    /// The size of all files before compression, in bytes.
    pub tree_bytes: u64,
    /// How many files, directories and links.
    pub entries: u64,
    /// How long packing may take.
    pub within: Duration,
}

impl Default for PackLimits {
    fn default() -> Self {
        Self {
            slug_bytes: 500 << 20,
            tree_bytes: 4 << 30,
            entries: 500_000,
            within: Duration::from_secs(300),
        }
    }
}

/// Where and as whom slugs are packed.
#[derive(Debug, Clone)]
pub struct Workshop<'a> {
    /// This host.
    pub host: &'a HostFacts,
    /// The user the tree belongs to.
    pub identity: Identity,
    /// The cgroup that bounds the build, whose limits stay as they are.
    pub cgroup: Option<String>,
    /// What a slug may take.
    pub limits: PackLimits,
}

/// A slug just packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Its name.
    pub digest: Digest,
    /// The size of the image in bytes.
    pub bytes: u64,
    /// A line for each thing that was left out: devices, pipes and sockets.
    pub left_out: Vec<String>,
}

/// 1980-01-01, the earliest time a zip file can hold: with 1970 programs that archive themselves fail.
const TIME: &str = "315532800";
pub(crate) const TIME_SECONDS: u64 = 315_532_800;

/// What is the same whatever is packed.
const COMMON: &[&str] = &[
    "-comp",
    "zstd",
    "-Xcompression-level",
    "3",
    "-reproducible",
    "-all-root",
    "-root-mode",
    "0755",
    "-noappend",
    "-no-recovery",
    "-no-xattrs",
    "-no-exports",
    "-exit-on-error",
    "-quiet",
    "-no-progress",
    "-mem",
    "256M",
];

/// Packs everything named after it. Only whether a file can be executed is kept of its mode, and
/// no links between files: both depend on where and how a tree was made.
const SCRIPT: &str = r#"chmod -R u+rwX /tree 2>/dev/null; exec mksquashfs /tree /out/slug "$@""#;
const ARGUMENTS: &[&str] = &[
    "-mkfs-time",
    TIME,
    "-all-time",
    TIME,
    "-no-hardlinks",
    "-action",
    "exclude@type(b)||type(c)||type(p)||type(s)",
    "-action",
    "chmod(u=rwx,go=rx)@type(d)||(type(f)&&perm(/a+x))",
    "-action",
    "chmod(u=rw,go=r)@type(f)&&!perm(/a+x)",
    "-action",
    "chmod(u-s,g-s,o-t)@true",
];

/// Packs an archive whose modes and owners were decided already.
const ARCHIVE_SCRIPT: &str = r#"exec mksquashfs - /out/slug -tar "$@" </archive"#;

/// What bubblewrap returns when a program is killed for writing too large a file.
const FILE_TOO_LARGE: i32 = 128 + 25;

/// Packs `tree` into the image `out`, in place of an earlier one. Blocks.
///
/// Nothing may run in the tree any more. Files their owner could not read become readable to him.
/// Fails for a tree or an image over the limits, with the largest directories.
pub fn pack(tree: &Path, out: &Path, workshop: &Workshop<'_>) -> Result<Packed, SlugError> {
    let limits = workshop.limits;
    let kind = fs::symlink_metadata(tree).map_err(SlugError::file("read", tree))?;
    if !kind.is_dir() {
        return Err(SlugError::Refused(format!("{} is not a directory", tree.display())));
    }
    let survey = Survey::of(tree, limits.entries)?;
    if survey.bytes > limits.tree_bytes {
        let (bytes, limit) = (Some(survey.bytes), limits.tree_bytes);
        return Err(SlugError::TooLarge { bytes, limit, largest: survey.largest() });
    }
    let beside = beside(out, workshop)?;
    let script = ["bash", "-c", SCRIPT, "pack"];
    let mut sandbox = Sandbox::new(workshop.identity, script.iter().chain(COMMON).chain(ARGUMENTS));
    sandbox.binds = vec![Bind::read_write(tree, "/tree")];
    let (digest, bytes) =
        squash(sandbox, &beside, out, workshop).map_err(|error| named(error, || survey.largest()))?;
    Ok(Packed { digest, bytes, left_out: survey.special.iter().map(|path| left_out(path)).collect() })
}

/// The files of a container image.
#[derive(Debug, Clone, Copy)]
pub struct Rootfs<'a> {
    /// The archive of all of them.
    pub archive: &'a Path,
    /// What the image says of itself, which becomes a file of the slug.
    pub about: &'a [u8],
    /// When the image was made, in seconds since 1970: no file of the slug is newer.
    pub made_at: u64,
}

/// Packs the files of a container image into the image `out`, in place of an earlier one, and removes their archive. Blocks.
///
/// Fails for more than the limits allow, with the largest directories.
pub fn pack_rootfs(rootfs: &Rootfs<'_>, out: &Path, workshop: &Workshop<'_>) -> Result<Packed, SlugError> {
    let beside = beside(out, workshop)?;
    let (from, to) = (rootfs.archive, beside.path().join("archive"));
    let source = File::open(from).map_err(SlugError::file("read", from))?;
    let target = File::create(&to).map_err(SlugError::file("write", &to))?;
    let bounds = Bounds { bytes: workshop.limits.tree_bytes, entries: workshop.limits.entries };
    fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).map_err(SlugError::file("write", &to))?;
    let sifted = sift(BufReader::new(source), rootfs.about, bounds, BufWriter::new(target))?;
    fs::remove_file(from).map_err(SlugError::file("remove", from))?;
    let script = ["bash", "-c", ARCHIVE_SCRIPT, "pack"];
    let mut sandbox = Sandbox::new(workshop.identity, script.iter().chain(COMMON));
    sandbox.binds = vec![Bind::read_only(&to, "/archive")];
    // The time of the root directory is not in the archive, and would be that of packing.
    sandbox.environment.set("SOURCE_DATE_EPOCH", rootfs.made_at.max(TIME_SECONDS).to_string())?;
    let (digest, bytes) =
        squash(sandbox, &beside, out, workshop).map_err(|error| named(error, || sifted.largest()))?;
    Ok(Packed { digest, bytes, left_out: sifted.special.iter().map(|path| left_out(path)).collect() })
}

/// Makes a directory beside the image, which whoever packs may write to.
fn beside(out: &Path, workshop: &Workshop<'_>) -> Result<TempDir, SlugError> {
    let parent = out.parent().unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".pack-").tempdir_in(parent);
    let made = made.map_err(SlugError::file("make a directory in", parent))?;
    if workshop.host.privilege == Privilege::Root {
        let (uid, gid) = (workshop.identity.uid(), workshop.identity.gid());
        lchown(made.path(), Some(uid), Some(gid)).map_err(SlugError::file("give away", made.path()))?;
    }
    Ok(made)
}

/// Runs mksquashfs and takes its image over.
fn squash(
    mut sandbox: Sandbox,
    beside: &TempDir,
    out: &Path,
    workshop: &Workshop<'_>,
) -> Result<(Digest, u64), SlugError> {
    let limit = workshop.limits.slug_bytes;
    let too_large = |bytes| SlugError::TooLarge { bytes, limit, largest: Vec::new() };
    sandbox.binds.push(Bind::read_write(beside.path(), "/out"));
    sandbox.network = false;
    // One block more than allowed is enough to know.
    sandbox.limits.file_bytes = Some(limit + (1 << 20));
    sandbox.cgroup.clone_from(&workshop.cgroup);
    let finished = program::run(sandbox.command(workshop.host)?, "mksquashfs", workshop.limits.within)?;
    if finished.code == Some(FILE_TOO_LARGE) {
        return Err(too_large(None));
    }
    finished.success("mksquashfs")?;
    let image = beside.path().join("slug");
    let bytes = take_over(&image, workshop.host.privilege)?;
    if bytes > limit {
        return Err(too_large(Some(bytes)));
    }
    let digest = digest_of(&image).map_err(SlugError::file("read", &image))?;
    fs::rename(&image, out).map_err(SlugError::file("write", out))?;
    Ok((digest, bytes))
}

/// Names the largest directories in an error about size.
fn named(error: SlugError, largest: impl FnOnce() -> Vec<(PathBuf, u64)>) -> SlugError {
    match error {
        SlugError::TooLarge { bytes, limit, .. } => SlugError::TooLarge { bytes, limit, largest: largest() },
        other => other,
    }
}

fn left_out(path: &Path) -> String {
    format!("{} is left out of the slug: it is a device, a pipe or a socket", path.display())
}

/// Makes the image ours and returns its size.
fn take_over(image: &Path, privilege: Privilege) -> Result<u64, SlugError> {
    let facts = fs::symlink_metadata(image).map_err(SlugError::file("read", image))?;
    if !facts.is_file() {
        return Err(SlugError::Refused("what was packed is not a file".into()));
    }
    if privilege == Privilege::Root {
        lchown(image, Some(0), Some(0)).map_err(SlugError::file("take over", image))?;
    }
    fs::set_permissions(image, fs::Permissions::from_mode(0o444))
        .map_err(SlugError::file("protect", image))?;
    Ok(facts.len())
}

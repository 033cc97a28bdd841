//! Packs the finished tree, and stops packing when the build is cancelled.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sandbox::Cgroup;
use slug::{PackLimits, Packed, Rootfs, SlugError, Workshop};

use crate::failure::{BuildFailure, FailureKind};
use crate::material::Material;
use crate::request::BuiltSlug;
use crate::sandboxed::Watch;

/// How often a cancel is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Packs the source as the buildpacks left it into the work directory.
pub(crate) fn pack(material: &Material<'_>, watch: &Watch<'_>) -> Result<BuiltSlug, BuildFailure> {
    packed(material, watch, |image, workshop| slug::pack(&material.request.source, image, workshop))
}

/// Packs the files of a container image: their archive, what the image says of itself, and when it was made.
pub(crate) fn pack_image(
    material: &Material<'_>,
    watch: &Watch<'_>,
    (archive, about, made_at): (&Path, &[u8], u64),
) -> Result<BuiltSlug, BuildFailure> {
    let rootfs = Rootfs { archive, about, made_at };
    packed(material, watch, |image, workshop| slug::pack_rootfs(&rootfs, image, workshop))
}

fn packed(
    material: &Material<'_>,
    watch: &Watch<'_>,
    pack: impl FnOnce(&Path, &Workshop<'_>) -> Result<Packed, SlugError>,
) -> Result<BuiltSlug, BuildFailure> {
    let request = material.request;
    let limits = PackLimits {
        slug_bytes: request.limits.slug_bytes,
        tree_bytes: request.limits.disk_bytes,
        within: watch.left(),
        ..PackLimits::default()
    };
    let workshop = Workshop {
        host: material.host,
        identity: material.identity,
        cgroup: Some(material.cgroup()),
        limits,
    };
    let image = request.work_dir.join("slug.squashfs");
    let packed = unless_cancelled(material, watch, || pack(&image, &workshop));
    let packed = packed.map_err(|error| failure(error, material, watch))?;
    packed.left_out.iter().for_each(|line| watch.log.warn(line));
    Ok(BuiltSlug { digest: packed.digest, bytes: packed.bytes, image })
}

/// Runs blocking work in the build's cgroup and ends that when the build is cancelled meanwhile.
fn unless_cancelled<T>(material: &Material<'_>, watch: &Watch<'_>, work: impl FnOnce() -> T) -> T {
    let group = Cgroup::named(&material.host.cgroups, &material.cgroup()).ok();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                if watch.cancel.is_cancelled() {
                    // What remains fails by itself then.
                    let _ = group.as_ref().map(Cgroup::kill);
                }
                std::thread::park_timeout(TICK);
            }
        });
        let result = work();
        done.store(true, Ordering::Release);
        watcher.thread().unpark();
        result
    })
}

fn failure(error: SlugError, material: &Material<'_>, watch: &Watch<'_>) -> BuildFailure {
    if watch.cancel.is_cancelled() {
        return BuildFailure::new(FailureKind::Cancelled, "the build was cancelled");
    }
    match error {
        SlugError::TooLarge { .. } | SlugError::TooMany(_) => {
            BuildFailure::new(FailureKind::TooLarge, error.to_string())
        }
        SlugError::TooSlow { .. } => crate::compile::ended(crate::sandboxed::End::TimedOut, material),
        error => refused(error, "the slug could not be packed"),
    }
}

/// Returns the failure for what holds something that no slug does, or for a fault of ours.
pub(crate) fn refused(error: SlugError, what: &'static str) -> BuildFailure {
    match error {
        SlugError::Refused(_) => BuildFailure::new(FailureKind::Source, error.to_string()),
        error => BuildFailure::ours(&anyhow::Error::new(error).context(what)),
    }
}

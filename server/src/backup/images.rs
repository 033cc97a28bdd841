//! The images of slugs in a backup: each is found to be what its name says before it is written.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use backup::{Member, Writer};
use model::slug::Digest;
use slug::{SlugError, SlugStore};
use tokio::runtime::Runtime;

use super::Progress;

/// Writes an image. Returns what is wrong with it if it cannot be had.
pub(super) fn write(
    runtime: &Runtime,
    (slugs, scratch): (&SlugStore, &Path),
    digest: &Digest,
    writer: &mut Writer<impl std::io::Write>,
    progress: &mut Progress,
) -> anyhow::Result<Option<String>> {
    let path = match runtime.block_on(slugs.image(digest, scratch)) {
        Ok(path) => path,
        Err(error @ (SlugError::NotFound(_) | SlugError::Altered { .. })) => {
            return Ok(Some(format!("{error}; releases of it cannot be rolled back to after a restore")));
        }
        Err(error) => return Err(error).with_context(|| format!("the image {}", digest.short())),
    };
    let file = File::open(&path)?;
    let bytes = file.metadata()?.len();
    writer.add(&Member::Image(digest.clone()), bytes, progress.reading(file))?;
    if path.starts_with(scratch) {
        std::fs::remove_file(&path)?;
    }
    Ok(None)
}

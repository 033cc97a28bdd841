//! The directory of one build: what only the build needed goes, its log stays.

use std::path::Path;

use tracing::warn;

/// Removes everything but the log.
pub(crate) async fn tidy(dir: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(dir).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name() != "log"
            && let Err(error) = remove(&entry.path()).await
        {
            warn!(path = %entry.path().display(), %error, "could not remove what a build left");
        }
    }
}

/// Removes a file, a link or a directory with all that is in it, if it is there. Builds make directories of any shape.
pub(crate) async fn remove(path: &Path) -> std::io::Result<()> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || sandbox::remove_tree(&path)).await?
}

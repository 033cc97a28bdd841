//! The apps' repositories in a backup: a snapshot of each, walked through before it is written.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Context as _;
use backup::{Member, Writer};
use model::id::AppId;
use tokio::runtime::Runtime;

use super::Progress;

/// Writes an app's repository; `scratch` is on the same file system. Returns what is wrong with it if it is not whole.
pub(super) fn write(
    runtime: &Runtime,
    (repository, scratch): (&Path, &Path),
    app: AppId,
    writer: &mut Writer<impl std::io::Write>,
    progress: &mut Progress,
) -> anyhow::Result<Option<String>> {
    if !repository.join("HEAD").exists() {
        return Ok(Some("its repository is not there; the next push makes a new one".to_owned()));
    }
    let into = scratch.join(app.to_string());
    let snapshot = git::snapshot(repository, &into)?;
    let walked = runtime.block_on(git::walk(&into));
    for (name, path) in &snapshot.files {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = file.metadata()?.len();
        let member = Member::Repository { app, file: name.clone() };
        writer.add(&member, bytes, progress.reading(file))?;
    }
    fs::remove_dir_all(&into)?;
    // What is broken is backed up as it is: git knows how to mend some of it.
    Ok(walked.err().map(|error| format!("its repository is damaged: {error:#}")))
}

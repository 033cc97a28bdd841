//! Makes a data directory of a backup. The file is read twice: first to know that all of it is what was written, and then
//! into a directory beside, which gets the name of the data directory when everything is in it.

use std::fs::{self, File};
use std::io::{BufReader, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use backup::Summary;
use git::Repositories;
use model::wording;
use tokio::runtime::Runtime;

use super::depot::Depot;
use super::put_back::PutBack;
use super::{Progress, Report, RestoreArgs};
use crate::disk::Room;
use crate::options::Options;

/// Restores a backup, or only looks at it.
///
/// # Errors
/// The file is no whole backup of a version known here, the directory is in use, or there is no room; nothing is left.
pub(super) fn restore(
    runtime: &Runtime,
    args: RestoreArgs,
    progress: &mut Progress,
) -> anyhow::Result<Report> {
    let options = args.serve.resolve()?;
    let (depot, named) = Depot::open(&args.from)?;
    let name = match named {
        Some(name) => name,
        None => newest(runtime, &depot)?,
    };
    let beside = parent(&options.data_dir);
    fs::create_dir_all(&beside).with_context(|| format!("cannot make {}", beside.display()))?;
    let mut file = runtime.block_on(depot.fetch(&name, &beside, progress))?;
    progress.part("looking whether the backup is whole");
    let summary = backup::read(progress.reading(BufReader::new(&file)), |_, _, _, _| Ok(()))?;
    let known = store::newest_schema();
    if summary.head.schema > known {
        bail!(
            "paasd {} made this backup, which is newer than this one ({}); restore it with that version",
            summary.head.version,
            env!("CARGO_PKG_VERSION")
        );
    }
    let report = report(depot.shown(&name), &file, &summary)?;
    if args.check {
        return Ok(report);
    }
    let staging = begin(&options, &summary)?;
    let mut put = PutBack::begin(runtime, staging.path(), &options, summary.head.schema)?;
    file.rewind()?;
    progress.part("putting everything in its place");
    let reader = progress.reading(BufReader::with_capacity(1 << 20, &file));
    backup::read(reader, |_, member, _, content| {
        put.put(member, content).with_context(|| format!("cannot restore {member}"))
    })?;
    let images = put.images;
    let warnings = put.finish()?;
    warnings.iter().for_each(|warning| progress.warn(warning));
    move_in(&options, staging)?;
    let dir = options.data_dir.display();
    let next = format!(
        "Start it with: paasd serve --data-dir {dir} --domain {}. It starts every app by itself; `paasctl apps` shows them.",
        summary.head.domain
    );
    let data_dir = Some(options.data_dir.clone());
    Ok(Report { done: "restore", data_dir, images, warnings, next: Some(next), ..report })
}

/// Returns the name of the newest backup.
fn newest(runtime: &Runtime, depot: &Depot) -> anyhow::Result<String> {
    let newest = runtime.block_on(depot.names())?.pop();
    newest.with_context(|| format!("there is no backup in {}", depot.shown("")))
}

fn report(from: String, file: &File, summary: &Summary) -> anyhow::Result<Report> {
    let head = summary.head.clone();
    Ok(Report {
        done: "check",
        file: from,
        file_bytes: file.metadata()?.len(),
        made_at: head.made_at,
        version: head.version,
        content_bytes: summary.bytes,
        apps: head.apps,
        images: summary.images,
        data_dir: None,
        warnings: Vec::new(),
        next: None,
    })
}

/// Makes the directory that everything is put into first, where there is room for it.
fn begin(options: &Options, summary: &Summary) -> anyhow::Result<tempfile::TempDir> {
    let dir = &options.data_dir;
    let is_used = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    if is_used {
        bail!(
            "{} is not empty; --data-dir names a directory that is not there yet, or move this one away first",
            dir.display()
        );
    }
    let parent = parent(dir);
    let room = Room::at(&parent)?.free_bytes;
    if room < summary.bytes {
        let (needs, has) = (wording::bytes(summary.bytes), wording::bytes(room));
        bail!("the backup needs {needs}, and there are {has} free at {}", parent.display());
    }
    let prefix = format!(".{}.restoring-", dir.file_name().unwrap_or_default().to_string_lossy());
    Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent)?)
}

/// Gives the directory its name. Everything in it is on disk by then.
fn move_in(options: &Options, staging: tempfile::TempDir) -> anyhow::Result<()> {
    let dir = &options.data_dir;
    rustix::fs::syncfs(File::open(staging.path())?)?;
    // An empty directory makes place.
    fs::rename(staging.path(), dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let _moved = staging.keep();
    File::open(parent(dir))?.sync_all()?;
    // Their settings name the directory.
    let repositories = Repositories::open(&options.dir("repos"))?;
    repositories.settle_in()
}

fn parent(dir: &Path) -> PathBuf {
    dir.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

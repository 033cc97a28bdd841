//! Makes a backup. The database comes first, and until the rest is copied nothing that it names is removed; the file has
//! its name when it was read back.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use backup::{FORMAT, Head, Member, Target, Writer};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use slug::{BlobPlace, SlugStore};
use tokio::runtime::Runtime;

use super::depot::Depot;
use super::rows::{Hold, Moment, look};
use super::{BackupArgs, Progress, Report, images, repositories};
use crate::options::Options;

/// Makes a backup.
///
/// # Errors
/// There is no platform, another backup is under way, or something cannot be read or written; no file is left then.
pub(super) fn take(runtime: &Runtime, args: BackupArgs, progress: &mut Progress) -> anyhow::Result<Report> {
    let configuration = args.serve.config_file().map(Path::to_owned);
    let options = args.serve.resolve()?;
    if !options.dir("secret-key").exists() {
        bail!(
            "{} is not the data directory of a paasd; --data-dir names another",
            options.data_dir.display()
        );
    }
    let (depot, named) = Depot::open(&args.to)?;
    if args.keep.is_some() && named.is_some() {
        bail!("--keep goes with a --to that is a directory or a prefix of a bucket");
    }
    let name = match named {
        Some(name) => name,
        None => runtime.block_on(depot.next_name(Timestamp::now()))?,
    };
    let scratch = Scratch::make(&options)?;
    let path = match &depot {
        Depot::Directory(dir) => dir.join(&name),
        Depot::Bucket { .. } => scratch.path().join(&name),
    };
    let target = Target::create(&path)?;
    let store = runtime.block_on(look(&options))?;
    let hold = runtime.block_on(Hold::begin(&store))?;
    let taking = Taking { runtime, options: &options, scratch: scratch.path(), configuration };
    let taken =
        runtime.block_on(Moment::of(&store)).and_then(|moment| taking.take(moment, &target, progress));
    // It would end by itself soon.
    let _ = runtime.block_on(hold.end());
    runtime.block_on(store.close());
    let mut report = taken?;
    progress.part("reading it back");
    let read = backup::read(progress.reading(BufReader::new(target.settled()?)), |_, _, _, _| Ok(()));
    let summary = read.context("what was written cannot be read back")?;
    report.content_bytes = summary.bytes;
    report.file_bytes = target.finish()?;
    if matches!(depot, Depot::Bucket { .. }) {
        runtime.block_on(depot.upload(&name, File::open(&path)?, progress))?;
    }
    report.file = depot.shown(&name);
    if let Some(newest) = args.keep {
        // This one is made all the same.
        if let Err(error) = runtime.block_on(depot.keep(newest.get())) {
            let warning = format!("{error:#}");
            progress.warn(&warning);
            report.warnings.push(warning);
        }
    }
    Ok(report)
}

struct Taking<'a> {
    runtime: &'a Runtime,
    options: &'a Options,
    scratch: &'a Path,
    configuration: Option<PathBuf>,
}

impl Taking<'_> {
    fn take(&self, moment: Moment, target: &Target, progress: &mut Progress) -> anyhow::Result<Report> {
        let (at, apps, needed) = (moment.at, moment.apps.clone(), moment.images.clone());
        let head = Head {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: moment.schema,
            made_at: at,
            domain: self.options.domain.clone(),
            apps: apps.iter().map(|(_, name)| name.clone()).collect(),
        };
        let out = BufWriter::with_capacity(1 << 20, target.rewound()?);
        let mut writer = Writer::begin(out, &head, "the backup")?;
        let mut warnings = Vec::new();
        progress.part("the database");
        self.runtime.block_on(moment.write(&mut writer))?;
        progress.part("keys and certificates");
        self.keys(&mut writer, &mut warnings)?;
        let slugs = match &self.options.blobs {
            BlobPlace::Directory(root) => SlugStore::beside(root)?,
            place => SlugStore::open(place, std::env::vars())?,
        };
        for (number, digest) in needed.iter().enumerate() {
            progress.part(format!("slug {} of {}", number + 1, needed.len()));
            let place = (&slugs, self.scratch);
            warnings.extend(images::write(self.runtime, place, digest, &mut writer, progress)?);
        }
        for (number, (app, name)) in apps.iter().enumerate() {
            progress.part(format!("repository {} of {}, {name}", number + 1, apps.len()));
            let repository = self.options.dir("repos").join(format!("{app}.git"));
            let place = (repository.as_path(), self.scratch);
            let wrong = repositories::write(self.runtime, place, *app, &mut writer, progress);
            let wrong = wrong.with_context(|| format!("the repository of {name}"))?;
            warnings.extend(wrong.map(|wrong| format!("{name}: {wrong}")));
        }
        let out = writer.finish()?;
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .context("the backup cannot be written")?;
        warnings.iter().for_each(|warning| progress.warn(warning));
        Ok(Report {
            done: "backup",
            file: String::new(),
            file_bytes: 0,
            made_at: at,
            version: head.version,
            content_bytes: 0,
            apps: head.apps,
            images: needed.len() as u64,
            data_dir: None,
            warnings,
            next: None,
        })
    }

    fn keys(
        &self,
        writer: &mut Writer<impl std::io::Write>,
        warnings: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let key = self.options.dir("secret-key");
        add(writer, &Member::SecretKey, &key).with_context(|| format!("cannot read {}", key.display()))?;
        // Who has a token of his own may have removed it.
        let token = self.options.dir("admin-token");
        if token.exists() {
            add(writer, &Member::AdminToken, &token)?;
        }
        if let Some(path) = &self.configuration {
            add(writer, &Member::Configuration, path)?;
        }
        for (domain, file, path) in certificates(&self.options.dir("certs"))? {
            let member = Member::Certificate { domain, file };
            if member.to_string().parse::<Member>().is_ok() {
                add(writer, &member, &path)?;
            } else {
                warnings.push(format!("{} is left out: its name cannot be in a backup", path.display()));
            }
        }
        Ok(())
    }
}

fn add(writer: &mut Writer<impl std::io::Write>, member: &Member, path: &Path) -> anyhow::Result<()> {
    let content = fs::read(path)?;
    Ok(writer.add(member, content.len() as u64, content.as_slice())?)
}

/// Returns the files of certificates, with the domain that each is for.
fn certificates(root: &Path) -> anyhow::Result<Vec<(String, String, PathBuf)>> {
    let mut found = Vec::new();
    let Ok(domains) = fs::read_dir(root) else { return Ok(found) };
    for domain in domains {
        let domain = domain?;
        let Ok(files) = fs::read_dir(domain.path()) else { continue };
        for file in files {
            let path = file?.path();
            // Clients of ACME lay down links.
            if let (true, Some(name)) = (path.is_file(), path.file_name()) {
                let shown = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
                found.push((shown(&domain.file_name()), shown(name), path.clone()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A directory beside what is copied, for one backup at a time.
struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    fn make(options: &Options) -> anyhow::Result<Self> {
        let run = options.dir("run");
        fs::create_dir_all(&run)?;
        let lock = File::options().create(true).truncate(false).write(true).open(run.join("backup.lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another backup of {} is under way; wait until it is done", options.data_dir.display());
        }
        let path = run.join("backup");
        // One that was killed has left something.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, _lock: lock })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

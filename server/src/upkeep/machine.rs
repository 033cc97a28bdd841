//! The machine that is kept up: its program, its data, and what it remembers. Each step can be cut off anywhere and taken again.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use model::slug::Digest;
use model::upkeep::{BACKUPS, Outcome, PROGRAMS, Present};
use slug::BlobPlace;
use tokio::process::Command;

use crate::backup::{Depot, Progress};
use crate::child;

/// How long a backup or a restore may take.
const COPY_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a program may take to say its version, and whether it can be run here.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// The file beside the data with what became of the last order, by its extension.
const OUTCOME: &str = "upkeep.json";

/// The machine.
pub(super) struct Machine {
    /// Its `paasd`.
    pub(super) program: PathBuf,
    /// Its data directory.
    pub(super) data_dir: PathBuf,
    /// The file with the server's options.
    pub(super) configuration: Option<PathBuf>,
    /// The platform's bucket.
    pub(super) bucket: BlobPlace,
}

impl Machine {
    /// Tells whether it has data that a server would go on with.
    pub(super) fn has_data(&self) -> bool {
        self.data_dir.join("secret-key").exists()
    }

    /// Returns what it is.
    ///
    /// # Errors
    /// Its program cannot be read.
    pub(super) fn present(&self, last: Option<&Outcome>) -> anyhow::Result<Present> {
        let last = last.map(|outcome| (outcome.order.clone(), outcome.failure.is_some()));
        Ok(Present { program: self.digest()?, has_data: self.has_data(), last })
    }

    /// Returns the digest of its program.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn digest(&self) -> anyhow::Result<Digest> {
        slug::digest_of(&self.program).with_context(|| format!("cannot read {}", self.program.display()))
    }

    /// Returns what its program says that its version is.
    ///
    /// # Errors
    /// It does not run.
    pub(super) async fn version(&self) -> anyhow::Result<String> {
        version_of(&self.program).await
    }

    /// Remembers what became of an order.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn remember(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let path = self.data_dir.with_added_extension(OUTCOME);
        let written = || -> anyhow::Result<()> {
            let file = tempfile::NamedTempFile::new_in(folder(&path))?;
            serde_json::to_writer(file.as_file(), outcome)?;
            settle(file.into_temp_path(), &path)
        };
        written().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Backs its data up into the bucket; returns where that is.
    ///
    /// # Errors
    /// It did not work.
    pub(super) async fn back_up(&self) -> anyhow::Result<String> {
        let to = self.bucket.within(BACKUPS).to_string();
        let told = self.run("backup", ["--to", &to]).await?;
        let told: serde_json::Value = serde_json::from_slice(&told)?;
        Ok(told["file"].as_str().unwrap_or(&to).to_owned())
    }

    /// Puts the program of this digest, which is in the bucket, in the place of its own.
    ///
    /// # Errors
    /// It is not there, is another, or does not run here with these options.
    pub(super) async fn replace(&self, digest: &Digest) -> anyhow::Result<()> {
        let (depot, _) = Depot::open(&self.bucket.within(PROGRAMS))?;
        let mut file = tempfile::NamedTempFile::new_in(folder(&self.program))?;
        depot.copy(digest.as_str(), file.as_file_mut(), &mut Progress::new(true)).await?;
        let found = slug::digest_of(file.path())?;
        if found != *digest {
            bail!("what was fetched is {}", found.short());
        }
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755))?;
        // Nobody can run what is open for writing.
        let path = file.into_temp_path();
        version_of(&path).await?;
        // One that does not know these options, or cannot be kept up itself, would be the last one here.
        let mut check = self.command(&path, "upkeep");
        check.args(["--check", "--program"]).arg(&self.program);
        child::output(check, LOOK_WITHIN).await?;
        settle(path, &self.program)
    }

    /// Puts the backup of this name in the place of its data. What was there is kept beside until another order is carried out.
    ///
    /// # Errors
    /// It cannot be restored; what was there is there again.
    pub(super) async fn restore(&self, name: &str, order: &str) -> anyhow::Result<()> {
        let before = self.beside(&format!("before-{order}"));
        if before.exists() && self.has_data() {
            // No server ran in between, so it was restored, and only that was not remembered.
            return Ok(());
        }
        self.forget_others(&before)?;
        if !before.exists() {
            fs::create_dir_all(&self.data_dir)?;
            fs::rename(&self.data_dir, &before)?;
        }
        let from = format!("{}/{name}", self.bucket.within(BACKUPS));
        let done = self.run("restore", ["--from", &from]).await;
        if done.is_err() {
            // An empty directory makes place.
            fs::rename(&before, &self.data_dir)?;
        }
        done.map(drop)
    }

    /// Removes what earlier orders left.
    fn forget_others(&self, kept: &Path) -> anyhow::Result<()> {
        let marked = self.beside("before-");
        let marked = marked.file_name().unwrap_or_default().as_encoded_bytes();
        for entry in fs::read_dir(folder(&self.data_dir))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if name.as_encoded_bytes().starts_with(marked) && path != kept {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }

    /// Runs a command of its program; returns what it printed.
    async fn run(&self, command: &str, more: [&str; 2]) -> anyhow::Result<Vec<u8>> {
        let mut process = self.command(&self.program, command);
        process.args(["--json", "--quiet"]).args(more);
        child::output(process, COPY_WITHIN).await
    }

    /// Returns a command of a program, with the options of this machine's server.
    fn command(&self, program: &Path, command: &str) -> Command {
        let mut process = Command::new(program);
        process.arg(command).arg("--data-dir").arg(&self.data_dir);
        if let Some(configuration) = &self.configuration {
            process.arg("--config").arg(configuration);
        }
        process
    }

    fn beside(&self, what: &str) -> PathBuf {
        self.data_dir.with_added_extension(what)
    }
}

/// Returns what became of the last order of the machine that has this data directory.
pub(super) fn last(data_dir: &Path) -> Option<Outcome> {
    serde_json::from_slice(&fs::read(data_dir.with_added_extension(OUTCOME)).ok()?).ok()
}

/// Returns what a program says that its version is.
async fn version_of(program: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version");
    let told = child::output(command, LOOK_WITHIN).await?;
    let told = model::wording::plain(&String::from_utf8_lossy(&told), 100);
    match told.trim().strip_prefix("paasd ") {
        Some(version) => Ok(version.to_owned()),
        None => bail!("it says `{}` when it is asked for its version", told.trim()),
    }
}

/// Gives a file its name, for good.
fn settle(file: tempfile::TempPath, path: &Path) -> anyhow::Result<()> {
    File::open(&file)?.sync_all()?;
    file.persist(path)?;
    Ok(File::open(folder(path))?.sync_all()?)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("/"))
}

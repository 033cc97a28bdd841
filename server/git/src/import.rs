//! An uploaded tar.gz becomes a commit that is kept for a build. It is made in a repository of its own and adopted whole:
//! an import that is refused or breaks off leaves nothing behind.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

use crate::archive::{ArchiveError, Item, Kind, read};
use crate::objects::link_all;
use crate::process::Group;
use crate::repository::build_name;
use crate::terminal::clean_line;
use crate::{ObjectId, Repository, command, configuration};

/// Where the commit is before it is adopted.
const ASIDE: &str = "refs/heads/import";
/// Beside the settings that every repository has: packs stay packs.
const UNPACK: &str = "fastimport.unpackLimit=1";

/// Bounds of one import.
#[derive(Debug, Clone)]
pub struct ImportLimits {
    /// Entries of the archive, whatever they are.
    pub entries: u64,
    /// Bytes of the archive after decompression.
    pub bytes: u64,
    /// How long it may take.
    pub time: Duration,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30, time: Duration::from_secs(300) }
    }
}

/// Whose commit it is to be, and what it says.
#[derive(Debug, Clone)]
pub struct Authorship {
    /// The author's address, which is the name too.
    pub email: String,
    /// The first line, and the only one.
    pub subject: String,
}

/// Why an archive did not become a commit. Paths and git's words are made safe to show.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What it holds, or that it is none.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// git's own refusal.
    #[error("git does not take the source: {0}")]
    Git(String),
    /// Over the bound, in seconds.
    #[error("the source could not be imported within {0} s, the limit here")]
    Slow(u64),
    /// The server's own trouble.
    #[error("the source could not be imported")]
    Internal(#[from] anyhow::Error),
}

impl Repository {
    /// Makes a commit without parents of a tar.gz and keeps it, durably, for a build; returns the commit. Reads the
    /// archive as a stream and never unpacks it. Moves no branch.
    pub async fn import(
        &self,
        build: &str,
        archive: impl Read + Send + 'static,
        authorship: &Authorship,
        limits: &ImportLimits,
    ) -> Result<ObjectId, ImportError> {
        let name = build_name(build)?;
        let scratch = self.scratch().context("no room for an import")?;
        let aside = scratch.path().join("import.git");
        prepare(&aside)?;
        let mut group = Group::spawn(&mut importer(&self.home(), &aside)).context("git cannot be started")?;
        let imported = tokio::time::timeout(limits.time, feed(&mut group, archive, authorship, limits)).await;
        let Ok(imported) = imported else {
            group.terminate().await;
            return Err(ImportError::Slow(limits.time.as_secs()));
        };
        imported?;
        let repository = self.clone();
        let adopted = tokio::task::spawn_blocking(move || {
            let adopted = repository.adopt_import(&aside, &name);
            drop(scratch);
            adopted
        });
        Ok(adopted.await.context("the import was cut short")??)
    }

    fn adopt_import(&self, aside: &Path, name: &str) -> anyhow::Result<ObjectId> {
        let made = git2::Repository::open_bare(aside)?.refname_to_id(ASIDE);
        let commit = made.context("git lost the commit it just made")?;
        link_all(&aside.join("objects"), &self.path().join("objects"))
            .context("could not keep the objects of the import")?;
        self.open()?.reference(name, commit, true, "build")?;
        self.sync_reference(name)?;
        Ok(commit.into())
    }
}

fn prepare(aside: &Path) -> anyhow::Result<()> {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    let made = git2::Repository::init_opts(aside, &options).context("could not prepare an import")?;
    configuration::apply(&made).context("could not prepare an import")
}

fn importer(home: &Path, aside: &Path) -> Command {
    let mut command = command::git(home);
    command.args(["-c", "safe.directory=*", "-c", UNPACK]);
    command.args(["fast-import", "--quiet", "--done", "--date-format=now"]).current_dir(aside);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Writes the archive to git and waits until it has ended.
async fn feed(
    group: &mut Group,
    archive: impl Read + Send + 'static,
    authorship: &Authorship,
    limits: &ImportLimits,
) -> Result<(), ImportError> {
    let input = group.child.stdin.take().context("git takes no input")?;
    let input = File::from(input.into_owned_fd().context("git takes no input")?);
    let (header, limits) = (header(authorship), limits.clone());
    let writing = tokio::task::spawn_blocking(move || write(archive, input, &header, &limits));
    let (written, ended) = tokio::join!(writing, group.finish());
    match (written.context("the import was cut short")?, ended) {
        (Ok(()), Ok(())) => Ok(()),
        // Who was not heard to the end has said why.
        (Ok(()) | Err(ImportError::Git(_)), Err(words)) => Err(ImportError::Git(words)),
        (Err(error), _) => Err(error),
    }
}

fn header(authorship: &Authorship) -> Vec<u8> {
    let subject = clean_line(authorship.subject.as_bytes(), 200);
    let email = clean_line(authorship.email.as_bytes(), 200).replace(['<', '>'], "");
    let length = subject.len();
    format!("commit {ASIDE}\ncommitter {email} <{email}> now\ndata {length}\n{subject}\ndeleteall\n").into()
}

/// Writes the language of git-fast-import(1).
fn write(archive: impl Read, input: File, header: &[u8], limits: &ImportLimits) -> Result<(), ImportError> {
    let mut out = BufWriter::new(input);
    out.write_all(header).map_err(stopped)?;
    read(archive, limits, |item| write_item(item, &mut out))?;
    out.write_all(b"done\n").and_then(|()| out.flush()).map_err(stopped)
}

pub(crate) fn write_item(item: Item<'_>, out: &mut impl Write) -> Result<(), ImportError> {
    let (mode, size) = match &item.kind {
        Kind::File { executable: false, size, .. } => ("100644", *size),
        Kind::File { executable: true, size, .. } => ("100755", *size),
        Kind::Link(target) => ("120000", target.len() as u64),
    };
    write!(out, "M {mode} inline ").map_err(stopped)?;
    out.write_all(&quoted(&item.path)).map_err(stopped)?;
    write!(out, "\ndata {size}\n").map_err(stopped)?;
    match item.kind {
        Kind::Link(target) => out.write_all(&target).map_err(stopped)?,
        Kind::File { content, .. } => copy(content, size, out)?,
    }
    out.write_all(b"\n").map_err(stopped)
}

/// Unlike the one of the standard library it tells whose fault a failure is.
fn copy(content: &mut dyn Read, size: u64, out: &mut impl Write) -> Result<(), ImportError> {
    let (mut buffer, mut copied) = (vec![0; 64 << 10], 0);
    loop {
        match content.read(&mut buffer).map_err(|_| ArchiveError::NotWhole)? {
            0 if copied == size => return Ok(()),
            0 => return Err(ArchiveError::NotWhole.into()),
            n => {
                out.write_all(&buffer[..n]).map_err(stopped)?;
                copied += n as u64;
            }
        }
    }
}

fn stopped(error: io::Error) -> ImportError {
    ImportError::Git(format!("it stopped reading: {error}"))
}

fn quoted(path: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in path {
        match byte {
            b'\n' => quoted.extend(b"\\n"),
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

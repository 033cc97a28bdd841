//! An uploaded source becomes a commit of the app's repository, so that it is built like any other. It is read as a
//! stream and never unpacked: what it names cannot lead anywhere.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Component, Path};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use flate2::read::GzDecoder;
use git::Repository;
use tar::EntryType;

/// Most files of a source.
const FILES_MAX: usize = 100_000;

/// Most bytes of a source after decompression.
const BYTES_MAX: u64 = 4_000_000_000;

/// Why an uploaded source cannot be built; a sentence for users, or a failure of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceFault {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

/// Whose commit it is to be.
pub(super) struct Authorship {
    pub(super) email: String,
    pub(super) subject: String,
}

/// Makes the commit, kept for a build, and returns its id. Blocks.
pub(super) fn commit(
    archive: &Path,
    repository: &Repository,
    build: &str,
    authorship: &Authorship,
) -> Result<String, SourceFault> {
    let file = File::open(archive)
        .map_err(|_| refused("nothing was put to the source's address yet; send the tar.gz there first"))?;
    let reference = format!("refs/paas/builds/{build}");
    let mut import = importer(repository)?;
    let pipe = import.stdin.take().context("git takes no input")?;
    let written = write(file, pipe, &reference, authorship);
    let output = import.wait_with_output().context("git did not end")?;
    written?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        tracing::warn!(said = model::wording::plain(&said, 500), "git refused an uploaded source");
        return Err(refused("the source holds paths that git does not take"));
    }
    resolve(repository, &reference)
}

fn refused(why: impl Into<String>) -> SourceFault {
    SourceFault::Refused(why.into())
}

fn git(repository: &Repository) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("HOME", repository.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .arg("--git-dir")
        .arg(repository.path());
    command
}

fn importer(repository: &Repository) -> anyhow::Result<Child> {
    git(repository)
        .args(["fast-import", "--quiet", "--done", "--force", "--date-format=now"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("git cannot be started")
}

fn resolve(repository: &Repository, reference: &str) -> Result<String, SourceFault> {
    let output = git(repository).args(["rev-parse", "--verify", reference]).output().context("git failed")?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(id)
    } else {
        Err(anyhow::anyhow!("git lost the commit it just made").into())
    }
}

fn write(file: File, pipe: impl Write, reference: &str, authorship: &Authorship) -> Result<(), SourceFault> {
    let mut out = BufWriter::new(pipe);
    let subject = model::wording::plain(&authorship.subject, 200);
    let name = authorship.email.replace(['<', '>', '\n'], "");
    header(&mut out, reference, &name, &subject).map_err(|_| refused("git stopped before it began"))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let unreadable = |_| refused("the source is not a whole tar.gz archive");
    let (mut files, mut bytes) = (0, 0);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        bytes += entry.size();
        files += 1;
        if files > FILES_MAX || bytes > BYTES_MAX {
            let most = model::wording::bytes(BYTES_MAX);
            return Err(refused(format!("the source has more than {FILES_MAX} files or {most}")));
        }
        write_entry(&mut entry, &mut out)?;
    }
    out.write_all(b"done\n").and_then(|()| out.flush()).map_err(|_| refused("git stopped before the end"))
}

fn header(out: &mut impl Write, reference: &str, name: &str, subject: &str) -> std::io::Result<()> {
    writeln!(out, "commit {reference}")?;
    writeln!(out, "committer {name} <{name}> now")?;
    writeln!(out, "data {}\n{subject}", subject.len())?;
    writeln!(out, "deleteall")
}

fn write_entry(entry: &mut tar::Entry<'_, impl Read>, out: &mut impl Write) -> Result<(), SourceFault> {
    let path = entry.path().map_err(|_| refused("the source holds a path that is none"))?.into_owned();
    let shown = model::wording::plain(&path.to_string_lossy(), 200);
    let Some(quoted) = quoted(&path).map_err(|why| refused(format!("the source holds {shown}: {why}")))?
    else {
        return Ok(());
    };
    let (mode, size) = match entry.header().entry_type() {
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        EntryType::Symlink => ("120000", 0),
        EntryType::Regular | EntryType::Continuous => {
            let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
            (if executable { "100755" } else { "100644" }, entry.size())
        }
        _ => {
            return Err(refused(format!(
                "the source holds {shown}, which is neither file, link nor directory"
            )));
        }
    };
    let stopped = |error: std::io::Error| refused(format!("the source broke off at {shown}: {error}"));
    if mode == "120000" {
        let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
        writeln!(out, "M {mode} inline {quoted}\ndata {}", target.len()).map_err(stopped)?;
        out.write_all(&target).map_err(stopped)?;
    } else {
        writeln!(out, "M {mode} inline {quoted}\ndata {size}").map_err(stopped)?;
        let copied = std::io::copy(&mut entry.take(size), out).map_err(stopped)?;
        if copied != size {
            return Err(refused(format!("the source breaks off inside {shown}")));
        }
    }
    writeln!(out).map_err(stopped)
}

/// Returns the path as `git fast-import` reads it, in quotes; none for what git keeps for itself, which is left out.
fn quoted(path: &Path) -> anyhow::Result<Option<String>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str().context("its name is not UTF-8")?),
            _ => bail!("it leads out of the source"),
        }
    }
    if parts.is_empty() || parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
        return Ok(None);
    }
    let escaped = parts.join("/").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    Ok(Some(format!("\"{escaped}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_and_is_quoted() {
        let read = |text: &str| quoted(Path::new(text)).map_err(|error| error.to_string());
        assert_eq!(read("./a b/c\"d\n").unwrap().as_deref(), Some("\"a b/c\\\"d\\n\""));
        for bad in ["../x", "/etc/passwd", "a/../../x"] {
            assert!(read(bad).unwrap_err().contains("leads out"), "{bad}");
        }
        for left_out in [".git/hooks/x", "a/.GIT/config", ".", ""] {
            assert_eq!(read(left_out), Ok(None), "{left_out}");
        }
    }
}

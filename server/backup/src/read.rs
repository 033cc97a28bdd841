//! Reads a backup from beginning to end and hands out its members. Only when it has returned is the whole known to be
//! what was written: who cannot undo what he does with a member reads it twice.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::{BackupError, FORMAT, Head, Member};

/// Largest window that is decompressed, as a power of two: what the decoder needs of memory.
const WINDOW_LOG: u32 = 27;

/// Most bytes of the end of an archive: a record of twenty blocks.
const END_MAX: u64 = 10_240;

/// What was found in a backup.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What it says of itself.
    pub head: Head,
    /// How many members it has, without head and manifest.
    pub members: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// How many of them are images of slugs.
    pub images: u64,
}

/// Reads the backup, hands each member but head and manifest to `take` with its size, and compares all with the
/// manifest. What `take` leaves of a member is read over.
///
/// # Errors
/// The file is no backup, is cut or damaged, holds what no backup does, or `take` fails.
pub fn read(
    file: impl Read,
    mut take: impl FnMut(&Head, &Member, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> Result<Summary, BackupError> {
    let mut decoder = zstd::Decoder::new(file).map_err(unreadable)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(unreadable)?;
    let mut archive = tar::Archive::new(decoder);
    let mut found: Option<Summary> = None;
    let mut manifest = Sha256::new();
    // Raw: no extension of the format is followed, and each is refused.
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry =
            entry.map_err(|error| if found.is_none() { foreign(error) } else { unreadable(error) })?;
        let member = member_of(&entry)?;
        let bytes = entry.size();
        let mut content = Hashing { inner: &mut entry, hash: Sha256::new() };
        match (&mut found, &member) {
            (None, Member::Head) => {
                let head = head_of(&mut content)?;
                found = Some(Summary { head, members: 0, bytes: 0, images: 0 });
            }
            (None, _) => return Err(BackupError::Foreign),
            (Some(_), Member::Head) => return Err(strange("a second head")),
            (Some(_), Member::Manifest) => {
                content.rest()?;
                let (hash, wanted) = (content.hash, manifest);
                let fits = hash.finalize() == wanted.finalize();
                let summary = found.filter(|_| fits);
                let summary =
                    summary.ok_or_else(|| BackupError::Damaged("its manifest says otherwise".to_owned()))?;
                return end(archive.into_inner()).map(|()| summary);
            }
            (Some(summary), _) => {
                let taken = take(&summary.head, &member, bytes, &mut content);
                // A torn member is the backup's fault, whatever whoever took it says.
                content.rest()?;
                taken?;
                summary.members += 1;
                summary.images += u64::from(matches!(member, Member::Image(_)));
                summary.bytes = summary.bytes.saturating_add(bytes);
            }
        }
        manifest.update(format!("{}  {member}\n", hex::encode(content.hash.finalize())));
    }
    Err(if found.is_some() { BackupError::Truncated } else { BackupError::Foreign })
}

/// Reads the end of the archive, which is zeros, and the end of what is compressed: there a file may be cut, too.
fn end(decoder: impl Read) -> Result<(), BackupError> {
    let mut left = Vec::new();
    decoder.take(END_MAX + 1).read_to_end(&mut left).map_err(unreadable)?;
    if left.len() as u64 > END_MAX || left.iter().any(|byte| *byte != 0) {
        return Err(strange("something after its manifest"));
    }
    Ok(())
}

fn member_of(entry: &tar::Entry<'_, impl Read>) -> Result<Member, BackupError> {
    let name = entry.path_bytes();
    let shown = model::wording::plain(&String::from_utf8_lossy(&name), 100);
    if entry.header().entry_type() != EntryType::Regular {
        return Err(strange(&format!("`{shown}`, which is no plain file")));
    }
    let member: Option<Member> = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok());
    let member = member.ok_or_else(|| strange(&format!("`{shown}`")))?;
    if entry.size() > member.bytes_max() {
        return Err(strange(&format!("`{shown}` of {}", model::wording::bytes(entry.size()))));
    }
    Ok(member)
}

fn head_of(content: &mut impl Read) -> Result<Head, BackupError> {
    let mut text = Vec::new();
    content.read_to_end(&mut text).map_err(unreadable)?;
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let format: Format = serde_json::from_slice(&text).map_err(|_| BackupError::Foreign)?;
    if format.format > FORMAT {
        return Err(BackupError::Newer { found: format.format, known: FORMAT });
    }
    serde_json::from_slice(&text).map_err(|error| BackupError::Damaged(format!("its head: {error}")))
}

fn strange(what: &str) -> BackupError {
    BackupError::Strange(what.to_owned())
}

fn foreign(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::Truncated,
        _ => BackupError::Foreign,
    }
}

fn unreadable(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::Truncated,
        _ => BackupError::Damaged(error.to_string()),
    }
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    fn rest(&mut self) -> Result<(), BackupError> {
        io::copy(self, &mut io::sink()).map_err(unreadable)?;
        Ok(())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

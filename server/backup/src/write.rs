//! Writes a backup member by member; holds no more of it than a piece.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use zstd::Encoder;

use crate::{BackupError, Head, Member};

/// Most of a backup is packed already; what is not, text and git's small files, gains little from more.
const LEVEL: i32 = 3;

/// A backup that is being written.
pub struct Writer<W: Write> {
    tar: tar::Builder<Encoder<'static, W>>,
    manifest: Vec<u8>,
    what: String,
}

impl<W: Write> Writer<W> {
    /// Begins with what the backup is of; `what` names the file in messages.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(out: W, head: &Head, what: &str) -> Result<Self, BackupError> {
        let failed = |error| BackupError::file("write", what)(error);
        let mut encoder = Encoder::new(out, LEVEL).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        let mut writer =
            Self { tar: tar::Builder::new(encoder), manifest: Vec::new(), what: what.to_owned() };
        let text = serde_json::to_vec_pretty(head).map_err(io::Error::other).map_err(failed)?;
        writer.add(&Member::Head, text.len() as u64, text.as_slice())?;
        Ok(writer)
    }

    /// Adds a member with exactly so many bytes.
    ///
    /// # Errors
    /// The content is longer or shorter or cannot be read, or the file cannot be written.
    pub fn add(&mut self, member: &Member, bytes: u64, content: impl Read) -> Result<(), BackupError> {
        let name = member.to_string();
        let mut header = tar::Header::new_ustar();
        header.set_path(&name).map_err(BackupError::file("name", &name))?;
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut content = Hashing { inner: content, hash: Sha256::new(), bytes: 0, failed: None };
        let appended = self.tar.append(&header, (&mut content).take(bytes));
        if let Some(error) = content.failed {
            return Err(BackupError::File { verb: "read", what: name, source: error });
        }
        appended.map_err(BackupError::file("write", &self.what))?;
        let more = content.inner.read(&mut [0]).map_err(BackupError::file("read", &name))?;
        if content.bytes != bytes || more > 0 {
            return Err(BackupError::Changed(name));
        }
        let line = format!("{}  {name}\n", hex::encode(content.hash.finalize()));
        self.manifest.extend(line.as_bytes());
        Ok(())
    }

    /// Adds the manifest and returns the file, which is whole then.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<W, BackupError> {
        let manifest = std::mem::take(&mut self.manifest);
        self.add(&Member::Manifest, manifest.len() as u64, manifest.as_slice())?;
        let what = self.what;
        let encoder = self.tar.into_inner().map_err(BackupError::file("write", &what))?;
        encoder.finish().map_err(BackupError::file("write", &what))
    }
}

/// Hashes what is read, and keeps the reader's failure apart from the writer's.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.hash.update(&buffer[..read]);
                self.bytes += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let shown = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(shown)
            }
        }
    }
}

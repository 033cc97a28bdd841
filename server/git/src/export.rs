//! Writes exactly what a commit holds into a directory: no attributes, no filters, nothing followed. The tree may be hostile:
//! each file is made anew in a directory that is held open, and counts and sizes are checked before anything is read.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{ObjectType, TreeEntry};
use rustix::fs::{Mode, OFlags};

use crate::path_names::{self, NameFault};
use crate::terminal::clean_line;
use crate::{DiskShort, ObjectId, Repository, Submodule, reserve};

/// Bytes of a whole path; tools that come later put their own directories in front.
pub(crate) const LONGEST_PATH: usize = 3000;
/// Directories within each other; each is held open.
pub(crate) const DEEPEST: usize = 100;
/// Bytes that a symbolic link may hold, less than a page.
pub(crate) const LONGEST_LINK: usize = 4095;

/// Bytes that are written between two looks at the disk, at most. A file counts one block more than it holds.
const UNLOOKED: u64 = 16 << 20;
const BLOCK: u64 = 4096;

/// Bounds of one export, submodules included.
#[derive(Debug, Clone)]
pub struct ExportLimits {
    /// Files, links and directories.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of one file, which is held in memory while it is written.
    pub file_bytes: u64,
    /// Bytes that stay free on the disk.
    pub reserve_bytes: u64,
}

impl Default for ExportLimits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30, file_bytes: 512 << 20, reserve_bytes: 0 }
    }
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files and links.
    pub files: u64,
    /// Files, links and directories.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Other repositories that the tree refers to; their directories are empty.
    pub submodules: Vec<Submodule>,
}

/// Why a commit could not be written out. Paths are made safe to show.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A name that may not become a file.
    #[error("`{path}` cannot be written: {fault}")]
    Name {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A path or a nesting beyond the bounds.
    #[error("`{0}` lies too deep: at most {DEEPEST} directories and {LONGEST_PATH} bytes of path")]
    Deep(String),
    /// Over the bound.
    #[error("the commit holds more than {0} files and directories, the limit here")]
    TooMany(u64),
    /// Over the bound.
    #[error("the files of the commit hold more than {}, the limit here", amount(*.0))]
    TooLarge(u64),
    /// Over the bound.
    #[error("`{path}` has {}, at most {} per file are allowed; keep it in a file store", amount(*.size), amount(*.limit))]
    FileTooLarge {
        /// Where it is.
        path: String,
        /// Its bytes.
        size: u64,
        /// The limit's.
        limit: u64,
    },
    /// No room.
    #[error(transparent)]
    Full(#[from] DiskShort),
    /// An object that is missing or broken, or a link that no file system takes.
    #[error("`{path}` cannot be read from the commit: {why}")]
    Unreadable {
        /// Where it is.
        path: String,
        /// libgit2's words or ours.
        why: String,
    },
    /// The disk's refusal.
    #[error("`{path}` could not be written")]
    Write {
        /// Where it is.
        path: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl Repository {
    /// Writes a commit's files into `into`, a directory that is empty or not there yet. Files get modes 0644 and 0755.
    /// After an error the directory holds a part. Blocks.
    pub fn export(
        &self,
        commit: ObjectId,
        into: &Path,
        limits: &ExportLimits,
    ) -> Result<Exported, ExportError> {
        let mut exported = Exported::default();
        let root = fresh_directory(into).map_err(|source| write_error(b".", source))?;
        let repository = self.open().map_err(|error| unreadable(b".", &format!("{error:#}")))?;
        export(&repository, commit, root.as_fd(), (limits, &mut exported))?;
        Ok(exported)
    }
}

fn fresh_directory(path: &Path) -> io::Result<OwnedFd> {
    fs::create_dir_all(path)?;
    let directory = rustix::fs::open(path, directory_flags(), Mode::empty())?;
    if fs::read_dir(path)?.next().is_some() {
        return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "the directory is not empty"));
    }
    Ok(directory)
}

pub(crate) fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Writes a commit into an open directory, counting on what was exported before.
pub(crate) fn export(
    repository: &git2::Repository,
    commit: ObjectId,
    root: BorrowedFd<'_>,
    (limits, exported): (&ExportLimits, &mut Exported),
) -> Result<(), ExportError> {
    let tree = repository.find_commit(commit.to_git()).and_then(|commit| commit.tree());
    let odb = repository.odb().map_err(|error| unreadable(b".", error.message()))?;
    let mut writer = Writer { repository, odb, root, limits, exported, path: Vec::new(), unlooked: UNLOOKED };
    let tree = tree.map_err(|error| unreadable(b".", error.message()))?;
    writer.tree(&tree, root, 0)
}

struct Writer<'a> {
    repository: &'a git2::Repository,
    odb: git2::Odb<'a>,
    root: BorrowedFd<'a>,
    limits: &'a ExportLimits,
    exported: &'a mut Exported,
    /// Of the entry at hand.
    path: Vec<u8>,
    /// Bytes that were written since the disk was looked at.
    unlooked: u64,
}

impl<'a> Writer<'a> {
    fn tree(
        &mut self,
        tree: &git2::Tree<'_>,
        directory: BorrowedFd<'_>,
        depth: usize,
    ) -> Result<(), ExportError> {
        for entry in tree.iter() {
            let parent = self.path.len();
            if parent > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(entry.name_bytes());
            self.count(entry.name_bytes(), depth)?;
            self.entry(&entry, directory, depth)?;
            self.path.truncate(parent);
        }
        Ok(())
    }

    fn count(&mut self, name: &[u8], depth: usize) -> Result<(), ExportError> {
        path_names::check(name).map_err(|fault| ExportError::Name { path: shown(&self.path), fault })?;
        if self.path.len() > LONGEST_PATH || depth >= DEEPEST {
            return Err(ExportError::Deep(shown(&self.path)));
        }
        self.exported.entries += 1;
        if self.exported.entries > self.limits.entries {
            return Err(ExportError::TooMany(self.limits.entries));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &TreeEntry<'_>,
        directory: BorrowedFd<'_>,
        depth: usize,
    ) -> Result<(), ExportError> {
        let name = OsStr::from_bytes(entry.name_bytes());
        match (entry.kind(), entry.filemode_raw() & 0o170_000) {
            (Some(ObjectType::Tree), _) => {
                let tree = self
                    .repository
                    .find_tree(entry.id())
                    .map_err(|error| self.unreadable(error.message()))?;
                let made =
                    make_directory(directory, name).map_err(|source| write_error(&self.path, source))?;
                self.tree(&tree, made.as_fd(), depth + 1)
            }
            (Some(ObjectType::Commit), _) => {
                make_directory(directory, name).map_err(|source| write_error(&self.path, source))?;
                let path = PathBuf::from(OsStr::from_bytes(&self.path));
                self.exported.submodules.push(Submodule { path, commit: entry.id().into(), url: None });
                Ok(())
            }
            (_, 0o120_000) => {
                let blob = self.blob(entry.id())?;
                self.link(blob.content(), directory, name)
            }
            _ => {
                let blob = self.blob(entry.id())?;
                let mode = if entry.filemode_raw() & 0o111 == 0 { 0o644 } else { 0o755 };
                let written = write_file(directory, name, blob.content(), mode);
                written.map_err(|source| write_error(&self.path, source))
            }
        }
    }

    /// Reads a blob once its size is known to fit.
    fn blob(&mut self, id: git2::Oid) -> Result<git2::Blob<'a>, ExportError> {
        let (size, _) = self.odb.read_header(id).map_err(|error| self.unreadable(error.message()))?;
        let size = size as u64;
        if size > self.limits.file_bytes {
            let path = shown(&self.path);
            return Err(ExportError::FileTooLarge { path, size, limit: self.limits.file_bytes });
        }
        self.exported.files += 1;
        self.exported.bytes = self.exported.bytes.saturating_add(size);
        if self.exported.bytes > self.limits.bytes {
            return Err(ExportError::TooLarge(self.limits.bytes));
        }
        self.look_at_disk(size)?;
        self.repository.find_blob(id).map_err(|error| unreadable(&self.path, error.message()))
    }

    fn look_at_disk(&mut self, size: u64) -> Result<(), DiskShort> {
        self.unlooked = self.unlooked.saturating_add(size).saturating_add(BLOCK);
        if self.unlooked < UNLOOKED {
            return Ok(());
        }
        self.unlooked = 0;
        reserve::check(self.root, size, self.limits.reserve_bytes)
    }

    fn link(&self, target: &[u8], directory: BorrowedFd<'_>, name: &OsStr) -> Result<(), ExportError> {
        if target.is_empty() || target.len() > LONGEST_LINK || target.contains(&0) {
            return Err(self.unreadable("it is a symbolic link to nothing, or to a name that is too long"));
        }
        let made = rustix::fs::symlinkat(OsStr::from_bytes(target), directory, name);
        made.map_err(|error| write_error(&self.path, error.into()))
    }

    fn unreadable(&self, why: &str) -> ExportError {
        unreadable(&self.path, why)
    }
}

/// Fails where anything is there already: a tree that names one thing twice is refused, not merged.
fn make_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let made = rustix::fs::openat(parent, name, directory_flags(), Mode::empty())?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
    Ok(made)
}

fn write_file(parent: BorrowedFd<'_>, name: &OsStr, content: &[u8], mode: u32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(mode))?);
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    file.write_all(content)
}

fn amount(bytes: u64) -> String {
    if bytes < 10_000_000 { format!("{bytes} bytes") } else { format!("{} MB", bytes / 1_000_000) }
}

fn shown(path: &[u8]) -> String {
    clean_line(path, 300)
}

fn unreadable(path: &[u8], why: &str) -> ExportError {
    ExportError::Unreadable { path: shown(path), why: clean_line(why.as_bytes(), 300) }
}

pub(crate) fn write_error(path: &[u8], source: io::Error) -> ExportError {
    ExportError::Write { path: shown(path), source }
}

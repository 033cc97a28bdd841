//! The file that a backup is written to: it has its name only when it is whole, and a process that is killed leaves
//! nothing, where the file system can do that.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, AtFlags, CWD, Mode, OFlags, fadvise, linkat, open};

use crate::BackupError;

/// A file without its name.
pub struct Target {
    file: File,
    /// Its name until it is whole, where a file must have one.
    aside: Option<tempfile::TempPath>,
    path: PathBuf,
}

impl Target {
    /// Begins a file that will have this name, readable by its owner only.
    ///
    /// # Errors
    /// There is one already, or none can be made there.
    pub fn create(path: &Path) -> Result<Self, BackupError> {
        let shown = path.display();
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(shown.to_string()));
        }
        let dir = folder(path);
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(file) = open(dir, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(Self { file: file.into(), aside: None, path: path.to_owned() });
        }
        let made = tempfile::Builder::new().prefix(".paas-backup-").suffix(".partial").tempfile_in(dir);
        let (file, aside) = made.map_err(BackupError::file("write", shown))?.into_parts();
        Ok(Self { file, aside: Some(aside), path: path.to_owned() })
    }

    /// Returns the file, from its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn rewound(&self) -> Result<&File, BackupError> {
        (&self.file).seek(SeekFrom::Start(0)).map_err(BackupError::file("read", self.path.display()))?;
        Ok(&self.file)
    }

    /// Returns the file, from its beginning, as it is on disk.
    ///
    /// # Errors
    /// It cannot be written or read.
    pub fn settled(&self) -> Result<&File, BackupError> {
        self.file.sync_all().map_err(BackupError::file("write", self.path.display()))?;
        // What is read next should come from the disk and not from memory; where it does not, nothing is lost.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        self.rewound()
    }

    /// Gives the file its name; it is on disk then. Returns its size in bytes.
    ///
    /// # Errors
    /// It cannot be written, or there is a file of this name by now.
    pub fn finish(self) -> Result<u64, BackupError> {
        let shown = self.path.display().to_string();
        let failed = || BackupError::file("write", &shown);
        self.file.sync_all().map_err(failed())?;
        let bytes = self.file.metadata().map_err(failed())?.len();
        match self.aside {
            Some(aside) => aside.persist_noclobber(&self.path).map_err(|error| named(error.error, &shown))?,
            None => {
                let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                let linked = linkat(CWD, own, CWD, &self.path, AtFlags::SYMLINK_FOLLOW);
                linked.map_err(|error| named(error.into(), &shown))?;
            }
        }
        File::open(folder(&self.path)).and_then(|dir| dir.sync_all()).map_err(failed())?;
        Ok(bytes)
    }
}

fn named(error: std::io::Error, shown: &str) -> BackupError {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(shown.to_owned()),
        _ => BackupError::file("write", shown)(error),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

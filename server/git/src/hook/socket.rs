//! Paths of unix sockets of any length: the kernel takes 107 bytes, data directories may be longer, so a long one is
//! reached through an open directory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Bytes of a path that fit into `sockaddr_un` (unix(7)).
const LONGEST_PATH: usize = 107;

/// A path to use for binding or connecting, as long as this lives.
pub(super) struct Reach {
    pub(super) path: PathBuf,
    _directory: Option<File>,
}

/// Returns a path that is short enough and leads to the same place.
pub(super) fn reach(path: &Path) -> io::Result<Reach> {
    if path.as_os_str().len() <= LONGEST_PATH {
        return Ok(Reach { path: path.to_owned(), _directory: None });
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the path of a socket"));
    };
    let directory = File::open(parent)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    Ok(Reach { path, _directory: Some(directory) })
}

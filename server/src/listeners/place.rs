//! Where the keeper is met: a socket in the data directory that only its owner reaches.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen as begin_to_listen,
    socket_with,
};

/// The socket's name below the directory.
const NAME: &str = "sockets.sock";

/// How many servers may wait to be let in.
const WAITING: i32 = 16;

/// Listens in the directory, in place of a keeper that ended.
pub(super) fn listen(dir: &Path) -> io::Result<OwnedFd> {
    let socket = socket()?;
    match std::fs::remove_file(dir.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_dir, path) = reach(dir)?;
    bind(&socket, &SocketAddrUnix::new(&path)?)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    begin_to_listen(&socket, WAITING)?;
    Ok(socket)
}

/// Connects to the keeper of the directory; none when there is none.
pub(super) fn call(dir: &Path) -> io::Result<Option<OwnedFd>> {
    let socket = socket()?;
    let (_dir, path) = reach(dir)?;
    match connect(&socket, &SocketAddrUnix::new(&path)?) {
        Ok(()) => Ok(Some(socket)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Returns a short path to the socket: the address of a socket holds 107 bytes, a data directory may have more.
fn reach(dir: &Path) -> io::Result<(File, PathBuf)> {
    let flags = i32::try_from(OFlags::PATH.bits()).expect("the flag is one of the low bits");
    let dir = File::options().read(true).custom_flags(flags).open(dir)?;
    let path = format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd());
    Ok((dir, path.into()))
}

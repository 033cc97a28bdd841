//! The pipe for a program's output.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{Gid, Uid, fchown},
    pipe::{PipeFlags, pipe_with},
};

use crate::{Identity, Privilege, SandboxError};

/// Makes a pipe for the output of a sandboxed program and returns its reading and its writing end.
///
/// It belongs to the program's user: opening `/dev/stdout` asks for permission on the pipe itself.
/// Both ends close on exec and block.
pub fn log_pipe(privilege: Privilege, identity: Identity) -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::kernel("make a pipe"))?;
    if privilege == Privilege::Root {
        let (uid, gid) = (Uid::from_raw(identity.uid()), Gid::from_raw(identity.gid()));
        fchown(&writer, Some(uid), Some(gid)).map_err(SandboxError::kernel("give a pipe away"))?;
    }
    Ok((reader, writer))
}

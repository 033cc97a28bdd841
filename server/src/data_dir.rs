//! The data directory of a server: one process has it at a time, and says in it who it is and how it is reached.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use anyhow::{Context as _, bail};
use model::wording;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::disk::Room;
use crate::options::Options;

/// Room that is kept for starting on a full disk.
const BALLAST_BYTES: u64 = 16_000_000;

/// The directory, taken for this process until this is dropped.
pub(crate) struct DataDir {
    _lock: File,
}

/// How a running server is reached, for tools on the same machine.
#[derive(Serialize, Deserialize)]
struct Addresses {
    pid: u32,
    listen: SocketAddr,
    router: SocketAddr,
}

impl DataDir {
    /// Makes the directory, readable by its owner only, and takes it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made.
    pub(crate) fn take(options: &Options) -> anyhow::Result<Self> {
        let dir = &options.data_dir;
        for dir in [dir.clone(), options.dir("run")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
            made.with_context(|| format!("cannot make {}", dir.display()))?;
        }
        // Apps and other users of the machine have no business here.
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let mut file = open_lock(options)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another paasd uses {0}; `paasd stop --data-dir {0}` ends it", dir.display());
        }
        keep_ballast(options)?;
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _lock: file })
    }

    /// Returns the process that has the directory, if one has.
    pub(crate) fn holder(options: &Options) -> anyhow::Result<Option<Pid>> {
        let mut file = open_lock(options)?;
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(None);
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text.trim().parse().ok().and_then(Pid::from_raw))
    }

    /// Says how the server is reached, once it can be.
    pub(crate) fn announce(options: &Options) -> anyhow::Result<()> {
        let addresses =
            Addresses { pid: std::process::id(), listen: options.listen, router: options.router_listen };
        let file = options.dir("run").join("addresses.json");
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&addresses)?)?;
        std::fs::rename(&fresh, &file)?;
        Ok(())
    }
}

/// A server must be able to start on a full disk, or what runs could not be reached: it keeps some room that it gives
/// up then.
fn keep_ballast(options: &Options) -> anyhow::Result<()> {
    let path = options.dir("run").join("ballast");
    let room = Room::at(&options.data_dir)?.free_bytes;
    if room < BALLAST_BYTES {
        if path.exists() {
            warn!("the disk is full: {} are given up to start all the same", wording::bytes(BALLAST_BYTES));
            std::fs::remove_file(&path)?;
        }
        return Ok(());
    }
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    // Not every file system can promise room; then there is no ballast.
    let _ = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BALLAST_BYTES);
    Ok(())
}

fn open_lock(options: &Options) -> anyhow::Result<File> {
    let path = options.dir("lock");
    let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    open.with_context(|| format!("cannot open {}", path.display()))
}

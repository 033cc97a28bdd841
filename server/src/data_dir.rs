//! The data directory of a server: one process has it at a time, and says in it who it is and how it is reached.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use model::wording;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::disk::Room;
use crate::options::Options;

/// Room that is kept for starting on a full disk.
const BALLAST_BYTES: u64 = 16_000_000;

/// How long a server that is leaving is waited for.
const PREDECESSOR: Duration = Duration::from_secs(30);

/// How long another server may take to make what all of them use.
const MAKING: Duration = Duration::from_secs(120);

/// How often it is looked whether it has left; nothing tells.
const LOOK: Duration = Duration::from_millis(5);

/// What the holder of the lock writes behind its process id when it leaves.
const LEAVING: &str = " leaving";

const ADDRESSES: &str = "addresses.json";

/// The directory, taken for this process until this is dropped.
pub(crate) struct DataDir {
    lock: File,
}

/// The process that has the directory.
struct Holder {
    pid: Pid,
    leaving: bool,
}

impl Holder {
    fn read(file: &mut File) -> anyhow::Result<Option<Self>> {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        let pid = text.strip_suffix(LEAVING).unwrap_or(&text).parse().ok().and_then(Pid::from_raw);
        Ok(pid.map(|pid| Self { pid, leaving: text.ends_with(LEAVING) }))
    }
}

/// How a running server is reached, for tools on the same machine.
#[derive(Serialize, Deserialize)]
struct Addresses {
    pid: u32,
    listen: SocketAddr,
    router: SocketAddr,
    #[serde(default)]
    agents: Option<SocketAddr>,
}

impl DataDir {
    /// Makes the directory, readable by its owner only, and takes it. A server that is leaving is waited for, one
    /// that is not only when it is to be replaced: then it is told to leave.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made.
    pub(crate) fn take(options: &Options, replace: bool) -> anyhow::Result<Self> {
        let dir = &options.data_dir;
        for dir in [dir.clone(), options.own_dir.clone(), options.own("run")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
            made.with_context(|| format!("cannot make {}", dir.display()))?;
        }
        // Apps and other users of the machine have no business here.
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let mut file = open_lock(options)?;
        let deadline = Instant::now() + PREDECESSOR;
        let mut told = !replace;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = Holder::read(&mut file)?;
            match holder {
                Some(Holder { pid, .. }) if !told => {
                    told = kill_process(pid, Signal::USR2).is_ok();
                }
                Some(Holder { leaving: true, .. }) => {}
                // Killed while it started a process, which has the lock too until it becomes another program.
                Some(Holder { pid, .. }) if is_gone(pid) => {}
                _ if replace => {}
                _ => bail!(
                    "another paasd uses {0}; `paasd stop --data-dir {0}` ends it, `paasd serve --replace` takes its place",
                    dir.display()
                ),
            }
            if Instant::now() > deadline {
                bail!(
                    "the paasd that uses {} did not leave within {} s",
                    dir.display(),
                    PREDECESSOR.as_secs()
                );
            }
            std::thread::sleep(LOOK);
        }
        keep_ballast(options)?;
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { lock: file })
    }

    /// Waits for its turn among the servers that share the directory to make what all of them use, such as the secret key.
    pub(crate) async fn make_alone(options: &Options) -> anyhow::Result<Option<File>> {
        if options.database_url.is_none() {
            return Ok(None);
        }
        let path = options.dir("servers").join("lock");
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
        let deadline = Instant::now() + MAKING;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if Instant::now() > deadline {
                bail!("another server has held {} for {} s", path.display(), MAKING.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Some(file))
    }

    /// Says that this process will give the directory up soon, for one that comes in its place.
    pub(crate) fn leave(&mut self) {
        // Behind the process id, in one write: one that looks just now finds either both or the id.
        if let Err(error) = self.lock.write_all(LEAVING.as_bytes()) {
            warn!(%error, "whoever starts now will not wait");
        }
    }

    /// Returns the process that has the directory, if one has.
    pub(crate) fn holder(options: &Options) -> anyhow::Result<Option<Pid>> {
        let mut file = open_lock(options)?;
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(None);
        }
        Ok(Holder::read(&mut file)?.map(|holder| holder.pid))
    }

    /// Tells whether another process than this one has said since how it is reached.
    pub(crate) fn is_taken_over(run_dir: &Path) -> bool {
        let text = std::fs::read(run_dir.join(ADDRESSES)).unwrap_or_default();
        serde_json::from_slice::<Addresses>(&text).is_ok_and(|addresses| addresses.pid != std::process::id())
    }

    /// Says how the server is reached, once it can be.
    pub(crate) fn announce(options: &Options) -> anyhow::Result<()> {
        let addresses = Addresses {
            pid: std::process::id(),
            listen: options.listen,
            router: options.router_listen,
            agents: options.agent_listen,
        };
        let file = options.own("run").join(ADDRESSES);
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&addresses)?)?;
        std::fs::rename(&fresh, &file)?;
        Ok(())
    }
}

fn is_gone(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

/// A server must be able to start on a full disk, or what runs could not be reached: it keeps some room that it gives
/// up then.
fn keep_ballast(options: &Options) -> anyhow::Result<()> {
    let path = options.own("run").join("ballast");
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
    let path = options.own("lock");
    let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    open.with_context(|| format!("cannot open {}", path.display()))
}

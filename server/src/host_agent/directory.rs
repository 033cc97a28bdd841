//! The data directory of an agent: one process has it at a time, and `paasd stop` finds that process.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

/// How long an agent that is ending is waited for.
const PREDECESSOR: Duration = Duration::from_secs(30);

/// How often it is looked whether it has ended; nothing tells.
const LOOK: Duration = Duration::from_millis(20);

/// The directory, taken for this process until this is dropped.
pub(super) struct Directory {
    _lock: File,
}

impl Directory {
    /// Makes the directory, readable by its owner only, and takes it; an agent that has it is told to end if `end` says so.
    ///
    /// # Errors
    /// Another agent has it, or a server, or it cannot be made.
    pub(super) fn take(dir: &Path, end: bool) -> anyhow::Result<Self> {
        if dir.join("paas.db").exists() {
            bail!("{} is the data directory of a server; an agent needs one of its own", dir.display());
        }
        for dir in [dir.to_owned(), dir.join("identity"), dir.join("logs")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
            made.with_context(|| format!("cannot make {}", dir.display()))?;
        }
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let path = dir.join("lock");
        let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.with_context(|| format!("cannot open {}", path.display()))?;
        let deadline = Instant::now() + PREDECESSOR;
        let mut told = !end;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            if let (false, Some(pid)) = (told, text.parse().ok().and_then(Pid::from_raw)) {
                told = kill_process(pid, Signal::TERM).is_ok();
            }
            if Instant::now() > deadline {
                bail!("another agent uses {0}; `paasd stop --data-dir {0}` ends it", dir.display());
            }
            std::thread::sleep(LOOK);
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _lock: file })
    }
}

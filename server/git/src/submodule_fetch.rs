//! Fetches one commit of a public repository with git, as the app's user, into a place of its own and within bounds of time
//! and disk. What it leaves there is a stranger's: `packs` takes of it what can be taken.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use sandbox::{Cgroup, Privilege};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fetcher::{Fetcher, MEMORY_BYTES};
use crate::process::Group;
use crate::submodules::{SubmoduleFault, redact};
use crate::{ObjectId, SubmoduleLimits, reserve};

/// How often the size on disk is looked at.
const WATCH: Duration = Duration::from_millis(250);
/// What an entry of a directory takes on disk at least.
const BLOCK: u64 = 4096;
/// Directories that are yet to be looked at, at most.
const WAITING: usize = 10_000;

/// A directory for git of strangers; it goes when dropped, whatever was made of it.
#[derive(Debug)]
pub(crate) struct Ground {
    path: PathBuf,
    /// Around it; whoever still writes in it keeps it.
    _scratch: Arc<TempDir>,
}

impl Ground {
    fn make(scratch: &Arc<TempDir>, name: &str, fetcher: &Fetcher) -> io::Result<Self> {
        let ground = Self { path: scratch.path().join(name), _scratch: scratch.clone() };
        fs::create_dir(&ground.path)?;
        if fetcher.host.privilege == Privilege::Root {
            chown(&ground.path, Some(fetcher.identity.uid()), Some(fetcher.identity.gid()))?;
        }
        Ok(ground)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = sandbox::remove_tree(&self.path) {
            tracing::warn!(%error, "what was fetched of a submodule stays until the next start");
        }
    }
}

/// Fetches `commit` from `url`, which was checked, into a new bare repository; `name` is new in `scratch`.
pub(crate) async fn fetch(
    fetcher: &Fetcher,
    (url, commit): (&str, ObjectId),
    (scratch, name): (&Arc<TempDir>, &str),
    limits: &SubmoduleLimits,
) -> Result<Ground, SubmoduleFault> {
    let ground = Ground::make(scratch, name, fetcher).map_err(unable)?;
    let (url, limits) = (url.to_owned(), limits.clone());
    let (mut sender, receiver) = oneshot::channel();
    let task = Task { fetcher: fetcher.clone(), ground, url, commit, limits };
    let runtime = Handle::current();
    // A sandbox dies with the thread that starts it, and a thread that has left the host's sockets does so for good: so it
    // must not be one of a pool, nor have the pool grow.
    let work = move || {
        sandbox::leave_host_sockets();
        let fetched = runtime.block_on(async {
            tokio::select! {
                biased;
                () = sender.closed() => None,
                fetched = task.fetch() => Some(fetched),
            }
        });
        // In this order: nothing writes there any more when the directory goes.
        task.end_group();
        if let Some(fetched) = fetched {
            let _ = sender.send(fetched.map(|()| task.ground));
        }
    };
    thread::Builder::new().name("submodule".into()).spawn(work).map_err(unable)?;
    receiver.await.unwrap_or_else(|_| Err(SubmoduleFault::Fetch("the thread of git died".to_owned())))
}

fn unable(error: impl std::fmt::Display) -> SubmoduleFault {
    SubmoduleFault::Fetch(format!("git could not be run: {error}"))
}

impl SubmoduleFault {
    /// git repeats the address in its words; nobody else must see a password in it.
    fn from_git(fault: Self, url: &str) -> Self {
        let Self::Fetch(words) = fault else { return fault };
        let shown = redact(url);
        let words = words.replace(url, &shown);
        let words = match url.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'))
        {
            Some((user, _)) => {
                user.split(':').filter(|part| !part.is_empty()).fold(words, |w, p| w.replace(p, "***"))
            }
            None => words,
        };
        Self::Fetch(words)
    }
}

struct Task {
    fetcher: Fetcher,
    ground: Ground,
    url: String,
    commit: ObjectId,
    limits: SubmoduleLimits,
}

impl Task {
    async fn fetch(&self) -> Result<(), SubmoduleFault> {
        let deadline = Instant::now() + self.limits.time;
        let commit = self.commit.to_string();
        match self.run(&["--depth=1", "origin", &commit], deadline).await {
            Ok(()) => return Ok(()),
            // Old servers give only what a branch or tag names.
            Err(SubmoduleFault::Fetch(words)) if words.contains("unadvertised object") => (),
            Err(fault) => return Err(SubmoduleFault::from_git(fault, &self.url)),
        }
        let fetched =
            self.run(&["origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], deadline).await;
        fetched.map_err(|fault| SubmoduleFault::from_git(fault, &self.url))
    }

    async fn run(&self, what: &[&str], deadline: Instant) -> Result<(), SubmoduleFault> {
        let Self { fetcher, limits, .. } = self;
        let place = self.ground.path();
        let sandbox = fetcher.sandbox(place, &self.url, what, limits).map_err(unable)?;
        let mut command = Command::from(sandbox.command(&fetcher.host).map_err(unable)?);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut group = Group::spawn(&mut command).map_err(unable)?;
        let finished = tokio::select! {
            finished = group.finish() => finished,
            () = outgrown(place, limits.bytes) => return ended(&mut group, SubmoduleFault::Large(limits.bytes)).await,
            short = reserve::run_short(place, limits.reserve_bytes) => return ended(&mut group, short.into()).await,
            () = tokio::time::sleep_until(deadline) => {
                return ended(&mut group, SubmoduleFault::Slow(limits.time.as_secs())).await;
            }
        };
        finished.map_err(|words| self.judge(words))
    }

    /// What ended git may have been a limit of the sandbox, of which it does not say much.
    fn judge(&self, words: String) -> SubmoduleFault {
        if holds_more(self.ground.path(), self.limits.bytes) {
            return SubmoduleFault::Large(self.limits.bytes);
        }
        let kills = self.group().and_then(|group| group.usage().oom_kills).unwrap_or(0);
        if kills > 0 {
            let limit = MEMORY_BYTES / 1_000_000;
            return SubmoduleFault::Fetch(format!(
                "git needed more than {limit} MB of memory for it, the limit here"
            ));
        }
        SubmoduleFault::Fetch(words)
    }

    fn group(&self) -> Option<Cgroup> {
        Cgroup::named(&self.fetcher.host.cgroups, &self.fetcher.cgroup).ok()
    }

    fn end_group(&self) {
        let Some(group) = self.group() else { return };
        if let Err(error) = group.kill().and_then(|()| group.remove()) {
            tracing::warn!(%error, "the cgroup of a submodule's fetch stays behind");
        }
    }
}

async fn ended(group: &mut Group, why: SubmoduleFault) -> Result<(), SubmoduleFault> {
    group.terminate().await;
    Err(why)
}

async fn outgrown(directory: &Path, limit: u64) {
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        if holds_more(directory, limit) {
            return;
        }
    }
}

/// Returns whether a directory takes more than that on disk. Every entry counts, and the look ends with the limit: whose
/// directory it is may make any number of them.
fn holds_more(directory: &Path, limit: u64) -> bool {
    let (mut waiting, mut size) = (vec![directory.to_owned()], 0);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            size += facts.size().max(BLOCK);
            if size > limit || waiting.len() > WAITING {
                return true;
            }
            if facts.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    false
}

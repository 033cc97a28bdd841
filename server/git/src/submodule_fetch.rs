//! Fetches one commit of a public repository with git, into a place of its own and within bounds of time and disk.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use crate::process::Group;
use crate::submodules::{SubmoduleFault, redact};
use crate::{ObjectId, SubmoduleLimits, command, reserve};

/// How often the size on disk is looked at.
const WATCH: Duration = Duration::from_millis(250);
/// What an administrator has set up for reaching the web; nothing else is inherited.
const PASSED_ON: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Only the web, no passwords, no endless trickle.
const SETTINGS: [&str; 9] = [
    "safe.directory=*",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "credential.helper=",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "fetch.unpackLimit=1",
    "gc.auto=0",
];

/// Fetches `commit` from `url`, which was checked, into the new bare repository `into`.
pub(crate) async fn fetch(
    home: &Path,
    url: &str,
    commit: ObjectId,
    into: &Path,
    limits: &SubmoduleLimits,
) -> Result<(), SubmoduleFault> {
    git2::Repository::init_bare(into).map_err(|error| SubmoduleFault::Fetch(error.message().to_owned()))?;
    let deadline = Instant::now() + limits.time;
    let one = ["--depth=1".to_owned(), "origin".to_owned(), commit.to_string()];
    match run(&mut fetch_command(home, url, into, &one), into, limits, deadline).await {
        Ok(()) => return Ok(()),
        // Old servers give only what a branch or tag names.
        Err(SubmoduleFault::Fetch(words)) if words.contains("unadvertised object") => (),
        Err(fault) => return Err(SubmoduleFault::from_git(fault, url)),
    }
    let all = ["origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"].map(str::to_owned);
    let fetched = run(&mut fetch_command(home, url, into, &all), into, limits, deadline).await;
    fetched.map_err(|fault| SubmoduleFault::from_git(fault, url))
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

fn fetch_command(home: &Path, url: &str, into: &Path, what: &[String]) -> Command {
    let mut command = command::git(home);
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Not as an argument: it may hold a password, and arguments are for all to see.
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "remote.origin.url")
        .env("GIT_CONFIG_VALUE_0", url);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]).args(what).current_dir(into);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

async fn run(
    command: &mut Command,
    into: &Path,
    limits: &SubmoduleLimits,
    deadline: Instant,
) -> Result<(), SubmoduleFault> {
    let unable = |error: std::io::Error| SubmoduleFault::Fetch(format!("git could not be run: {error}"));
    let mut group = Group::spawn(command).map_err(unable)?;
    let finished = tokio::select! {
        finished = group.finish() => finished.map_err(SubmoduleFault::Fetch),
        () = outgrown(into, limits.bytes) => Err(SubmoduleFault::Large(limits.bytes)),
        short = reserve::run_short(into, limits.reserve_bytes) => Err(short.into()),
        () = tokio::time::sleep_until(deadline) => Err(SubmoduleFault::Slow(limits.time.as_secs())),
    };
    if matches!(finished, Err(SubmoduleFault::Large(_) | SubmoduleFault::Slow(_) | SubmoduleFault::Full(_))) {
        group.terminate().await;
    }
    finished
}

async fn outgrown(directory: &Path, limit: u64) {
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        let packs = directory.join("objects/pack");
        let size = tokio::task::spawn_blocking(move || size(&packs)).await.unwrap_or(0);
        if size > limit {
            return;
        }
    }
}

fn size(packs: &Path) -> u64 {
    let files = fs::read_dir(packs).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

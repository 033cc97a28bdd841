//! The two services of git's smart HTTP protocol (gitprotocol-http(5)) and how each introduces itself. Serving a request
//! is next door.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::Repository;
use crate::command;
use crate::pkt;
use crate::process::Group;

/// A list of references may take this long.
const ADVERTISE_TIME: Duration = Duration::from_secs(30);
/// And this much memory, in bytes.
const LONGEST_ADVERTISEMENT: u64 = 64 << 20;

/// What a git client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clone and fetch.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Service {
    /// Returns the service that a URL names, `git-upload-pack` or `git-receive-pack`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// Returns the name in URLs and in content types (`application/x-NAME-advertisement`, `-request`, `-result`).
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// Returns the command up to the repository's path.
    pub(crate) fn command(self, repository: &Repository, git_protocol: Option<&str>) -> Command {
        let mut command = command::git(&repository.home());
        command.arg("-c").arg(repository.hooks_setting());
        command.args(["-c", "safe.directory=*", "-c", "protocol.allow=never"]);
        if let Some(protocol) = command::protocol(git_protocol).filter(|p| !self.ignores(p)) {
            command.env("GIT_PROTOCOL", protocol);
        }
        command.current_dir(repository.path());
        command
    }

    pub(crate) fn subcommand(self) -> &'static str {
        &self.name()["git-".len()..]
    }

    /// Version 2 has no push; a client that asks for it all the same is answered in version 0.
    fn ignores(self, protocol: &str) -> bool {
        self == Self::ReceivePack && protocol.contains("version=2")
    }

    fn answers_version_2(self, git_protocol: Option<&str>) -> bool {
        self == Self::UploadPack && command::protocol(git_protocol).is_some_and(|p| p.contains("version=2"))
    }
}

/// Returns the body for `GET …/info/refs?service=…`; `git_protocol` is the request's `Git-Protocol` header.
pub async fn advertise(
    repository: &Repository,
    service: Service,
    git_protocol: Option<&str>,
) -> anyhow::Result<Bytes> {
    let mut command = service.command(repository, git_protocol);
    command.args([service.subcommand(), "--stateless-rpc", "--advertise-refs", "."]);
    let output =
        run(&mut command).await.with_context(|| format!("could not run git {}", service.subcommand()))?;
    let mut out = Vec::with_capacity(output.len() + 40);
    if !service.answers_version_2(git_protocol) {
        pkt::put(&mut out, format!("# service={}\n", service.name()).as_bytes());
        out.extend_from_slice(pkt::FLUSH);
    }
    out.extend_from_slice(&output);
    Ok(out.into())
}

async fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(command)?;
    let stdout = group.child.stdout.take().context("no output")?;
    let stderr = group.child.stderr.take().context("no error output")?;
    let (mut output, mut words) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (stdout.take(LONGEST_ADVERTISEMENT), stderr.take(4096));
    let reading = async {
        tokio::try_join!(stdout.read_to_end(&mut output), stderr.read_to_end(&mut words))?;
        drop((stdout, stderr));
        group.wait().await
    };
    let finished = tokio::time::timeout(ADVERTISE_TIME, reading).await;
    match finished {
        Ok(Ok(true)) => Ok(output),
        Ok(Ok(false)) => bail!("{}", crate::terminal::clean_line(&words, 500)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            group.terminate().await;
            bail!("no answer within {} seconds", ADVERTISE_TIME.as_secs())
        }
    }
}

//! Runs the programs of builds in containers: the same sandbox, with the stack in the place of the host's `/usr`.
//!
//! A build has the host's network, as under bubblewrap, and the packet filter knows it by its user there, too.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, InspectContainerOptions, KillContainerOptions,
    ListContainersOptions, RemoveContainerOptions, StartContainerOptions, WaitContainerOptions,
};
use build::{Attendant, ImageOrder, Imaged, KeptImage, Ran};
use bytes::Bytes;
use futures::StreamExt as _;
use model::id::AppId;
use sandbox::{Bind, HostFacts, Sandbox};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::container::{Base, Place, body};
use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};
use crate::engine::networks::Networks;
use crate::{input, labels, stack};

/// How often cancel, deadline and disk are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// Most pieces of output that wait.
pub(crate) const PIECES: usize = 256;
/// The certificates that this host trusts, which may be more than those of the stack.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Runs builds in containers on the stack image.
#[derive(Clone, Debug)]
pub struct BuildContainers {
    pub(crate) daemon: Daemon,
    host: HostFacts,
    pub(crate) mark: String,
    image: String,
    pub(crate) networks: Arc<Networks>,
    pub(crate) runtime: Handle,
}

/// Holds the limits of a sandbox below those of this process, which are mostly the daemon's too: it must not raise them.
pub(crate) fn bound_by_host(sandbox: &mut Sandbox, host: &HostFacts) {
    let open_files = &mut sandbox.limits.open_files;
    *open_files = (*open_files).min(host.open_files_max.unwrap_or(u64::MAX));
}

/// Shows a sandbox on the stack who its user is and whom this host trusts.
pub(crate) fn show_etc(sandbox: &mut Sandbox, host: &HostFacts) -> Result<()> {
    sandbox.binds.extend(sandbox::etc_binds(host, sandbox.identity)?);
    sandbox.binds.push(Bind { optional: true, ..Bind::read_only(CERTIFICATES, CERTIFICATES) });
    Ok(())
}

impl BuildContainers {
    /// Returns what runs builds on an image, marked as those of the server that uses this directory. Needs a runtime around it.
    #[must_use]
    pub fn new(daemon: Daemon, host: HostFacts, dir: &Path, image: &str) -> Self {
        let (mark, image, runtime) = (labels::mark(dir), image.to_owned(), Handle::current());
        let networks = Arc::new(Networks::new(daemon.clone(), &mark));
        Self { daemon, host, mark, image, networks, runtime }
    }

    async fn make(&self, sandbox: &Sandbox) -> Result<String> {
        let mut sandbox = sandbox.clone();
        bound_by_host(&mut sandbox, &self.host);
        show_etc(&mut sandbox, &self.host)?;
        let name = sandbox.cgroup.clone().unwrap_or_default();
        let place = Place {
            base: Base::Stack(self.image.clone()),
            network: if sandbox.network { "host" } else { "none" }.to_owned(),
            labels: labels::of_build(&self.mark, &name),
            keeps_output: false,
            published: None,
        };
        let made =
            self.daemon.docker().create_container(None::<CreateContainerOptions>, body(&sandbox, place)?);
        Ok(self.daemon.ask("make a container", CHANGE, made).await?.id)
    }

    /// Starts a container, gives it its input, and passes on its output until it ends.
    async fn follow(self, container: String, input: Vec<u8>, output: mpsc::Sender<Bytes>) -> Result<()> {
        let options = AttachContainerOptions {
            stdin: true,
            stdout: true,
            stderr: true,
            stream: true,
            ..AttachContainerOptions::default()
        };
        let attached = self.daemon.docker().attach_container(&container, Some(options));
        let mut attached = self.daemon.ask("attach to a container", QUICK, attached).await?;
        let started = self.daemon.docker().start_container(&container, None::<StartContainerOptions>);
        self.daemon.ask("start a container", CHANGE, started).await?;
        fail_point::reach(fail_point::Step::BuildCompiling);
        let given = async {
            attached.input.write_all(&input).await?;
            attached.input.write_all(input::END).await?;
            attached.input.flush().await?;
            attached.input.shutdown().await
        };
        let given = tokio::time::timeout(QUICK, given).await;
        given.context("a container did not take its input")?.context("a container did not take its input")?;
        while let Some(Ok(piece)) = attached.output.next().await {
            if output.send(piece.into_bytes()).await.is_err() {
                return Ok(());
            }
        }
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ended = std::pin::pin!(self.daemon.docker().wait_container(&container, Some(options)));
        let _ = ended.next().await;
        Ok(())
    }

    async fn end(&self, container: &str) -> Result<Ran> {
        let found = self.daemon.docker().inspect_container(container, None::<InspectContainerOptions>);
        let found = self.daemon.ask("look at a container", QUICK, found).await?;
        let state = found.state.context("a container has no state")?;
        anyhow::ensure!(state.running != Some(true), "the Docker Engine lost sight of a build that runs");
        let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
        Ok(if code != 0 && state.oom_killed == Some(true) { Ran::OutOfMemory } else { Ran::Exited(code) })
    }

    async fn kill(&self, container: &str) {
        let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
        let killed = self.daemon.docker().kill_container(container, Some(options));
        let killed = self.daemon.ask("signal a container", CHANGE, killed).await;
        if let Err(error) = killed
            && error.is_silence()
        {
            tracing::warn!(%error, "a build may go on for a while");
        }
    }

    pub(crate) async fn remove(&self, container: &str) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let removed = self.daemon.docker().remove_container(container, Some(options));
        match self.daemon.ask("remove a container", CHANGE, removed).await {
            Ok(()) | Err(DaemonError::Missing(_)) => {}
            Err(error) => tracing::warn!(%error, "the container of a build stays until the next start"),
        }
    }

    async fn clear(&self) -> Result<()> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(labels::filter(&self.mark, labels::BUILD)),
            ..ListContainersOptions::default()
        };
        let listed = self.daemon.docker().list_containers(Some(options));
        for container in self.daemon.ask("list containers", CHANGE, listed).await? {
            self.remove(&container.id.unwrap_or_default()).await;
        }
        Ok(())
    }
}

impl build::Containers for BuildContainers {
    fn stack(&self) -> &str {
        stack::NAME
    }

    fn run(&self, sandbox: &Sandbox, attendant: &mut dyn Attendant) -> Result<Ran> {
        let container = self.runtime.block_on(self.make(sandbox))?;
        let (sender, mut output) = mpsc::channel(PIECES);
        let following = self.clone().follow(container.clone(), input::of(&sandbox.environment), sender);
        let mut following = self.runtime.spawn(following);
        let outcome = loop {
            let piece = self.runtime.block_on(async { tokio::time::timeout(TICK, output.recv()).await });
            match piece {
                Ok(Some(piece)) => attendant.output(&piece),
                Ok(None) => {
                    let followed = self.runtime.block_on(async {
                        tokio::time::timeout(CHANGE, &mut following).await.context("a build does not end")
                    });
                    break followed
                        .and_then(|task| task?)
                        .and_then(|()| self.runtime.block_on(self.end(&container)));
                }
                Err(_) => {}
            }
            if attendant.has_to_end() {
                self.runtime.block_on(self.kill(&container));
                break Ok(Ran::Stopped);
            }
        };
        following.abort();
        self.runtime.block_on(self.remove(&container));
        outcome
    }

    fn make_image(&self, order: &ImageOrder<'_>, attendant: &mut dyn Attendant) -> Result<Imaged> {
        self.image(order, attendant)
    }

    fn images_beyond(&self, apps: &BTreeSet<AppId>) -> Result<Vec<KeptImage>> {
        self.beyond(apps)
    }

    fn keep_images_of(&self, apps: &BTreeSet<AppId>) -> Result<()> {
        self.keep_only(apps)
    }

    fn clear(&self) {
        if let Err(error) = self.runtime.block_on(Self::clear(self)) {
            tracing::warn!(error = format!("{error:#}"), "containers of earlier builds stay behind");
        }
    }
}

//! Starts one run: its tree, its network, its container, and at last the variables through its input.

use agent::{Durability, EngineError, Run};
use anyhow::{Context as _, Result};
use bollard::query_parameters::{AttachContainerOptions, CreateContainerOptions, StartContainerOptions};
use fail_point::Step;
use model::replica::{ReplicaSpec, Wish};
use sandbox::{Identity, Sandbox};
use tokio::io::AsyncWriteExt as _;

use super::end::is_running;
use super::{DockerEngine, Inner, RunFile};
use crate::container::{Base, Place, body};
use crate::daemon::{CHANGE, DaemonError, QUICK};
use crate::{builds, labels, rootfs};

const NO_INPUT: &str = "a container did not take its input";

impl DockerEngine {
    /// Starts a run in the replica's turn.
    pub(super) async fn launch(&self, spec: &ReplicaSpec, port: Option<u16>) -> Result<(), EngineError> {
        let (id, dir) = (spec.id, self.0.dir(spec.id));
        let begun = dir.read::<RunFile>("run.json").is_some();
        if begun && self.0.inspect(id).await?.as_ref().is_some_and(is_running) {
            self.carry_output(id);
            return Ok(());
        }
        self.clear(id).await?;
        dir.create().context("cannot make the replica's directory")?;
        self.blocking(move |inner| inner.forget_run(id)).await?;
        let identity = Identity::new(spec.uid, spec.uid)
            .ok_or_else(|| EngineError::Impossible("a replica never runs as root".to_owned()))?;
        let image = self.0.trees.image(&spec.slug).await?;
        let slug = spec.slug.clone();
        let app = self
            .blocking(move |inner| inner.trees.lay_out((id, &slug), &image, identity, inner.dir(id).path()))
            .await?;
        fail_point::reach(Step::ReplicaPrepared);
        let mut sandbox = Run::of(spec, port, &app).into_sandbox()?;
        builds::bound_by_host(&mut sandbox, &self.0.host);
        let base = match spec.image.clone() {
            None => {
                builds::show_etc(&mut sandbox, &self.0.host)?;
                Base::Stack(self.0.options.image.clone())
            }
            Some(image) => {
                sandbox.binds = self.blocking(move |_| rootfs::show(&app, identity, &image)).await?;
                let init = rootfs::init();
                sandbox.binds.extend(init.clone());
                Base::Empty { image: rootfs::base(&self.0.daemon).await?, init: init.map(|_| rootfs::INIT) }
            }
        };
        self.0.run((spec, port), &sandbox, base).await?;
        self.carry_output(id);
        Ok(())
    }
}

impl Inner {
    fn forget_run(&self, id: model::id::ReplicaId) -> Result<()> {
        for name in ["run.json", "exit.json", super::output::POSITION] {
            match std::fs::remove_file(self.dir(id).path().join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context("cannot remove files of an earlier run");
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn run(
        &self,
        (spec, port): (&ReplicaSpec, Option<u16>),
        sandbox: &Sandbox,
        base: Base,
    ) -> Result<(), EngineError> {
        let (network, _guard) = self.networks.of(spec.app).await?;
        let place = Place {
            base: base.clone(),
            network: network.clone(),
            labels: labels::of_replica(&self.mark, spec),
            keeps_output: true,
            published: port.filter(|_| self.is_balanced()),
        };
        let body = body(sandbox, place).map_err(|error| EngineError::Impossible(format!("{error:#}")))?;
        let options =
            CreateContainerOptions { name: Some(self.name(spec.id)), ..CreateContainerOptions::default() };
        let made = self.daemon.docker().create_container(Some(options), body);
        let container = match self.noted(self.daemon.ask("make a container", CHANGE, made).await) {
            Ok(made) => made.id,
            Err(DaemonError::Missing(why)) if why.contains("image") && matches!(base, Base::Stack(_)) => {
                let reason = format!(
                    "the stack image {} is not there; `paasd stack build` makes it",
                    self.options.image
                );
                return Err(EngineError::Impossible(reason));
            }
            Err(error) => return Err(anyhow::Error::from(error).into()),
        };
        self.begin(spec, &container, (&network, base.input(&sandbox.environment))).await?;
        Ok(())
    }

    /// Starts a container whose shell reads the variables, notes that it runs, and only then lets it become the program.
    async fn begin(
        &self,
        spec: &ReplicaSpec,
        container: &str,
        (network, (variables, end)): (&str, (Vec<u8>, &[u8])),
    ) -> Result<()> {
        let (docker, daemon) = (self.daemon.docker(), &self.daemon);
        let options =
            AttachContainerOptions { stdin: true, stream: true, ..AttachContainerOptions::default() };
        let attached = docker.attach_container(container, Some(options));
        let mut attached = daemon.ask("attach to a container", QUICK, attached).await?;
        let started = docker.start_container(container, None::<StartContainerOptions>);
        self.noted(daemon.ask("start a container", CHANGE, started).await)?;
        fail_point::reach(Step::SupervisorStarted);
        let given = async {
            attached.input.write_all(&variables).await?;
            attached.input.flush().await
        };
        tokio::time::timeout(QUICK, given).await.context(NO_INPUT)?.context(NO_INPUT)?;
        // Before it is so: without this file nothing of the program ran.
        let once = matches!(spec.wish, Wish::Once { .. });
        let durability = if once { Durability::Synced } else { Durability::Cached };
        let run = RunFile { container: container.to_owned(), ip: self.address(spec.id, network).await? };
        self.dir(spec.id).write("run.json", &run, durability).context("cannot write run.json")?;
        let told = async {
            attached.input.write_all(end).await?;
            attached.input.flush().await?;
            attached.input.shutdown().await
        };
        tokio::time::timeout(QUICK, told).await.context(NO_INPUT)?.context(NO_INPUT)?;
        fail_point::reach(Step::ReplicaStarted);
        Ok(())
    }

    /// Returns the address of a replica in its network; one that has ended already has none. A daemon that has just begun may
    /// know that it runs before it knows where.
    async fn address(&self, id: model::id::ReplicaId, network: &str) -> Result<Option<std::net::IpAddr>> {
        let asked = async {
            loop {
                let Some(found) = self.inspect(id).await? else { return Ok(None) };
                let runs = found.state.and_then(|state| state.running) == Some(true);
                let networks = found.network_settings.and_then(|settings| settings.networks);
                let address = networks.and_then(|mut networks| networks.remove(network)?.ip_address);
                let address = address.and_then(|address| address.parse().ok());
                if address.is_some() || !runs {
                    return Ok(address);
                }
                tokio::time::sleep(builds::TICK).await;
            }
        };
        tokio::time::timeout(QUICK, asked).await.context("Docker does not say at which address it is")?
    }
}

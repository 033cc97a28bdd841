//! Makes images of Dockerfiles with the daemon's own builder, and takes their files out.
//!
//! The classic builder: it needs nothing but the daemon, bounds what a step may use, and ends when nobody listens to it any
//! more. Its steps run in a network of their own, under the same packet filter as replicas.

mod base;
mod kept;

use std::collections::BTreeSet;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bollard::models::{BuildInfo, ContainerCreateBody, HostConfig, ImageInspect};
use bollard::query_parameters::{BuildImageOptions, CreateContainerOptions};
use build::{Attendant, Image, ImageOrder, Imaged, KeptImage};
use bytes::Bytes;
use futures::StreamExt as _;
use model::id::AppId;
use model::image::ImageConfig;
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use crate::builds::{BuildContainers, PIECES, TICK};
use crate::daemon::{CHANGE, DaemonError, QUICK};
use crate::labels;
use kept::Kept;

/// Relative weight of a build for the processor; a replica of the smallest size has 1024.
const CPU_SHARES: i32 = 128;

/// What the builder's interface takes for a number of bytes.
const MEMORY_MAX: u64 = i32::MAX as u64;

/// An order that a task can hold.
struct Job {
    app: AppId,
    context: PathBuf,
    bases: Vec<String>,
    memory: i32,
    afresh: bool,
    files: PathBuf,
    files_bytes: u64,
}

impl BuildContainers {
    /// Makes the image of an order; see [`build::Containers::make_image`].
    pub(crate) fn image(&self, order: &ImageOrder<'_>, attendant: &mut dyn Attendant) -> Result<Imaged> {
        let job = Job {
            app: order.app,
            context: order.context.to_owned(),
            bases: order.bases.to_owned(),
            memory: i32::try_from(order.memory_bytes.min(MEMORY_MAX)).unwrap_or(i32::MAX),
            afresh: order.afresh,
            files: order.files.to_owned(),
            files_bytes: order.files_bytes,
        };
        let (sender, output) = mpsc::channel(PIECES);
        let making = self.clone();
        let made = self.attend(async move { making.make_of(job, sender).await }, output, attendant);
        // Also after one that was cut off.
        self.runtime.block_on(async {
            self.remove(&self.exported(order.app)).await;
            self.networks.give_up_that_of_builds().await;
        });
        Ok(made?.unwrap_or(Imaged::Stopped))
    }

    /// Returns what is kept of the images of other apps.
    pub(crate) fn beyond(&self, apps: &BTreeSet<AppId>) -> Result<Vec<KeptImage>> {
        self.runtime.block_on(kept::beyond(&self.daemon, &self.mark, apps))
    }

    /// Removes what is kept of the images of other apps.
    pub(crate) fn keep_only(&self, apps: &BTreeSet<AppId>) -> Result<()> {
        self.runtime.block_on(kept::keep_only(&self.daemon, &self.mark, apps))
    }

    /// Runs work to its end while its output is passed on; returns nothing if it had to be ended.
    fn attend<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
        mut output: mpsc::Receiver<Bytes>,
        attendant: &mut dyn Attendant,
    ) -> Result<Option<T>> {
        let mut working = self.runtime.spawn(work);
        loop {
            match self.runtime.block_on(async { tokio::time::timeout(TICK, output.recv()).await }) {
                Ok(Some(piece)) => attendant.output(&piece),
                Ok(None) => {
                    return self.runtime.block_on(&mut working).context("a task was cut off")?.map(Some);
                }
                Err(_) => {}
            }
            if attendant.has_to_end() {
                // The builder ends when its listener is gone.
                working.abort();
                let _ = self.runtime.block_on(working);
                return Ok(None);
            }
        }
    }

    async fn make_of(self, job: Job, output: mpsc::Sender<Bytes>) -> Result<Imaged> {
        let mut bases = Vec::new();
        for name in &job.bases {
            let Some(base) = base::fetch(&self.daemon, name, &output).await? else { continue };
            if let Some(source) = build::fetched_source(&base.on_build.join("\n")) {
                return Ok(Imaged::Failed(build::fetches(name, &source)));
            }
            bases.push((name.clone(), base.digest));
        }
        let id = match self.build(&job, &output).await? {
            Ok(id) => id,
            Err(said) => return Ok(Imaged::Failed(said)),
        };
        let found = self.daemon.docker().inspect_image(&id);
        let found = self.daemon.ask("look at an image", QUICK, found).await?;
        if !self.export(&job, &id).await? {
            return Ok(Imaged::TooLarge);
        }
        let config = config(&id, &found);
        Ok(Imaged::Made(Image { config, made_at: made_at(&found), bases }))
    }

    /// Has the daemon build, and returns the id of the image or the builder's last words.
    async fn build(&self, job: &Job, output: &mpsc::Sender<Bytes>) -> Result<Result<String, String>> {
        let context = tokio::fs::File::open(&job.context).await.context("cannot read the context")?;
        let (network, _guard) = self.networks.of_builds().await?;
        let options = BuildImageOptions {
            rm: true,
            forcerm: true,
            nocache: job.afresh,
            memory: Some(job.memory),
            memswap: Some(job.memory),
            cpushares: Some(CPU_SHARES),
            networkmode: Some(network),
            ..BuildImageOptions::default()
        };
        let context = bollard::body_try_stream(ReaderStream::with_capacity(context, 1 << 18));
        let mut said = std::pin::pin!(self.daemon.docker().build_image(options, None, Some(context)));
        let mut kept = Kept::begin(&self.daemon, &self.mark, job.app).await?;
        while let Some(said) = said.next().await {
            let info: BuildInfo = match said.map_err(|error| self.daemon.explain("build an image", error)) {
                Ok(info) => info,
                Err(DaemonError::Failed { why, .. }) => {
                    kept.end(false).await?;
                    return Ok(Err(why));
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(text) = info.stream.or(info.status.map(|status| format!("{status}\n"))) {
                kept.heard(&text);
                let _ = output.send(Bytes::from(text)).await;
            }
            kept.made(info.aux.and_then(|aux| aux.id));
        }
        let id = kept.last().context("the builder did not name the image")?;
        kept.end(true).await?;
        Ok(Ok(id))
    }

    /// Writes the archive of an image's files; returns false if they are too many bytes.
    async fn export(&self, job: &Job, id: &str) -> Result<bool> {
        let name = self.exported(job.app);
        self.remove(&name).await;
        let body = ContainerCreateBody {
            image: Some(id.to_owned()),
            // Never started; an image may name no program, and then the daemon wants one.
            entrypoint: Some(vec!["/".to_owned()]),
            network_disabled: Some(true),
            labels: Some(labels::of_build(&self.mark, &name)),
            host_config: Some(HostConfig { network_mode: Some("none".to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let options =
            CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
        let made = self.daemon.docker().create_container(Some(options), body);
        self.daemon.ask("make a container", CHANGE, made).await?;
        let mut file = std::fs::File::create(&job.files).context("cannot write the files of the image")?;
        let mut pieces = std::pin::pin!(self.daemon.docker().export_container(&name));
        let mut left = job.files_bytes;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.daemon.explain("export a container", error))?;
            let Some(rest) = left.checked_sub(piece.len() as u64) else { return Ok(false) };
            left = rest;
            file = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file))
                .await
                .context("a task was cut off")?
                .context("cannot write the files of the image")?;
        }
        Ok(true)
    }

    fn exported(&self, app: AppId) -> String {
        format!("paas-{}-files-{app}", self.mark)
    }
}

fn config(id: &str, found: &ImageInspect) -> ImageConfig {
    let said = found.config.clone().unwrap_or_default();
    let variable =
        |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    ImageConfig {
        id: id.to_owned(),
        entrypoint: said.entrypoint.unwrap_or_default(),
        cmd: said.cmd.unwrap_or_default(),
        env: said.env.iter().flatten().filter_map(variable).collect(),
        workdir: said.working_dir.unwrap_or_default(),
        user: said.user.unwrap_or_default(),
        home: String::new(),
        ports: said.exposed_ports.unwrap_or_default(),
    }
}

fn made_at(found: &ImageInspect) -> u64 {
    let created = found.created.as_ref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    created.and_then(|created| u64::try_from(created.as_second()).ok()).unwrap_or(0)
}

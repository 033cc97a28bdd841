//! Makes the stack image with the daemon's own builder, where the base image can be had.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bollard::models::{BuildInfo, CreateImageInfo};
use bollard::query_parameters::{BuildImageOptions, CreateImageOptions};
use futures::{Stream, StreamExt as _};

use super::{PACKAGES, Progress, STACK, labels};
use crate::daemon::{Daemon, DaemonError, QUICK};

/// The image that it is built on.
pub(super) const BASE: &str = "debian:bookworm-slim";

const DOCKERFILE: &str = include_str!("../../../../buildpacks/stack/Dockerfile");

/// How long nothing may be heard of a registry, and of a build.
const PULL_SILENCE: Duration = Duration::from_secs(60);
const BUILD_SILENCE: Duration = Duration::from_secs(600);

/// Sees to it that the base image is there.
pub(super) async fn base(daemon: &Daemon, progress: Progress<'_>) -> anyhow::Result<()> {
    match daemon.ask("look for an image", QUICK, daemon.docker().inspect_image(BASE)).await {
        Ok(_) => return Ok(()),
        Err(DaemonError::Missing(_)) => progress(&format!("Fetching {BASE}")),
        Err(error) => return Err(error.into()),
    }
    let options = CreateImageOptions { from_image: Some(BASE.to_owned()), ..CreateImageOptions::default() };
    let said = daemon.docker().create_image(Some(options), None, None);
    follow(daemon, "fetch an image", PULL_SILENCE, said, |info: CreateImageInfo| drop(info.status)).await
}

/// Builds and returns the id of the image, which has a tag of the stack's then.
pub(super) async fn build(daemon: &Daemon, tag: &str, progress: Progress<'_>) -> anyhow::Result<String> {
    let options = BuildImageOptions {
        t: Some(format!("{STACK}:{tag}")),
        labels: Some(labels()),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    };
    let context = bollard::body_full(context()?.into());
    let said = daemon.docker().build_image(options, None, Some(context));
    let mut id = None;
    follow(daemon, "build an image", BUILD_SILENCE, said, |info: BuildInfo| {
        info.stream
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| !line.is_empty())
            .for_each(&mut *progress);
        id = info.aux.and_then(|aux| aux.id).or(id.take());
    })
    .await?;
    id.context("the builder did not name the image")
}

/// Passes on what is said until the end, which a silence is too.
async fn follow<T>(
    daemon: &Daemon,
    what: &'static str,
    silence: Duration,
    said: impl Stream<Item = Result<T, bollard::errors::Error>>,
    mut heard: impl FnMut(T),
) -> anyhow::Result<()> {
    let mut said = std::pin::pin!(said);
    loop {
        match tokio::time::timeout(silence, said.next()).await {
            Err(_) => bail!("nothing was heard for {} s", silence.as_secs()),
            Ok(None) => return Ok(()),
            Ok(Some(info)) => heard(info.map_err(|error| daemon.explain(what, error))?),
        }
    }
}

/// Returns the directory of the Dockerfile as an archive.
fn context() -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in [("Dockerfile", DOCKERFILE), ("packages.txt", PACKAGES)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes())?;
    }
    archive.into_inner().context("cannot make an archive")
}

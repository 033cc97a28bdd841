//! Fetches the newest of an image that a Dockerfile begins with, or takes what is there.

use std::time::Duration;

use anyhow::Result;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptions;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::daemon::{Daemon, DaemonError, QUICK};

/// How long nothing may be heard of a registry: its first word, and while it sends.
const FIRST_WORD: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(120);

/// An image that a Dockerfile begins with.
pub(super) struct Base {
    /// Its digest in its registry, or its id where it is of none.
    pub(super) digest: String,
    /// What the builder does first with each image on top of it, a line each.
    pub(super) on_build: Vec<String>,
}

/// Returns the image, fetched anew if it can be; nothing if it is nowhere, which the builder says in its own words.
pub(super) async fn fetch(daemon: &Daemon, name: &str, output: &mpsc::Sender<Bytes>) -> Result<Option<Base>> {
    let fetched = pull(daemon, name).await;
    let found = match daemon.ask("look for an image", QUICK, daemon.docker().inspect_image(name)).await {
        Ok(found) => found,
        Err(DaemonError::Missing(_) | DaemonError::Failed { .. }) => {
            if let Err(why) = fetched {
                say(output, format!("{name} cannot be fetched: {why}\n")).await;
            }
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let digest = digest(&found);
    let from = match fetched {
        Ok(()) => String::new(),
        Err(why) => format!(", as this server has it; it cannot be fetched: {why}"),
    };
    say(output, format!("{name} is {digest}{from}\n")).await;
    let on_build = found.config.and_then(|config| config.on_build).unwrap_or_default();
    Ok(Some(Base { digest, on_build }))
}

/// Fetches the newest, or says in a line why not.
async fn pull(daemon: &Daemon, name: &str) -> Result<(), String> {
    let options = CreateImageOptions {
        // Without a tag or digest it would be all of them.
        from_image: Some(if has_version(name) { name.to_owned() } else { format!("{name}:latest") }),
        ..CreateImageOptions::default()
    };
    let mut said = std::pin::pin!(daemon.docker().create_image(Some(options), None, None));
    let mut within = FIRST_WORD;
    loop {
        match tokio::time::timeout(within, said.next()).await {
            Err(_) => return Err(format!("nothing was heard of its registry for {} s", within.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => {
                return Err(match daemon.explain("fetch an image", error) {
                    DaemonError::Failed { why, .. } | DaemonError::Missing(why) => why,
                    error => error.to_string(),
                });
            }
            Ok(Some(Ok(_))) => within = SILENCE,
        }
    }
}

fn digest(found: &ImageInspect) -> String {
    let repo = found.repo_digests.iter().flatten().next();
    let digest = repo.and_then(|name| name.split_once('@').map(|(_, digest)| digest.to_owned()));
    digest.or_else(|| found.id.clone()).unwrap_or_default()
}

fn has_version(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    name.contains('@') || last.contains(':')
}

async fn say(output: &mpsc::Sender<Bytes>, line: String) {
    let _ = output.send(Bytes::from(line)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_version() {
        assert!(has_version("debian:12") && has_version("a/b@sha256:0"));
        assert!(!has_version("debian") && !has_version("localhost:5000/debian"));
    }
}

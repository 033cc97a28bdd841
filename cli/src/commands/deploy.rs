//! `deploy`: a release of a container image that exists already, without a repository. As Dokku's `git:from-image` it builds a
//! Dockerfile of one line, so that everything after that is as with any other app.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::name::AppName;
use model::wording;
use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::build::Build;
use crate::api::release::Release;
use crate::api::{Api, read, segment};
use crate::commands::stack;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Result};
use crate::rollout::{self, Superseded};
use crate::{interrupt, lines, wait};

/// Longer than any build may take: the server's own deadline ends it first.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Most characters of the name of an image, as registries have it.
const NAME_MAX: usize = 500;

/// Deploy a container image
///
/// The server fetches it, and its stack becomes `container`. Everything else deploys with `git push`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl deploy --image nginxinc/nginx-unprivileged:1.27 -a shop
  -----> Building the image with the Docker Engine
         nginxinc/nginx-unprivileged:1.27 is sha256:5f2a…
  -----> Released v7
    web.1  healthy
  Done in 6.2 s.")]
pub(crate) struct Deploy {
    /// Its name with a registry, a tag or a digest, such as ghcr.io/ada/shop:v3
    #[arg(long, value_name = "NAME", value_parser = image_name)]
    image: String,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Deploy {
    /// Uploads the Dockerfile, and follows the build and its rollout.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        take_stack(context, &api, &app)?;
        let build = self.begin(&api, &app)?;
        let stream = api.lines(&format!("/apps/{app}/builds/{}/output?follow=1", segment(&build)))?;
        let leave = format!("The build goes on; `paasctl builds:cancel -a {app}` stops it.");
        interrupt::leave_with(&context.screen, leave);
        lines::each(stream, |line| {
            context.screen.say(&lines::told(&context.screen, line));
            Ok(())
        })?;
        let release = released(context, &api, &app, &build)?;
        if let Some(operation) = &release.operation {
            rollout::follow(&context.screen, &api, &app, operation, Superseded::Fail)?;
        }
        self.json.print(context, &json!({ "build": build, "release": release.version }))
    }

    fn begin(&self, api: &Api, app: &AppName) -> Result<String> {
        let places = api.post(&format!("/apps/{app}/sources"), &json!({}))?.body["source_blob"].clone();
        let put_url = places["put_url"].as_str().unwrap_or_default();
        api.upload(
            put_url,
            archive(&self.image).map_err(|_| Error::failed("the upload cannot be written"))?,
        )?;
        let source =
            json!({ "url": places["get_url"], "version_description": format!("Image {}", self.image) });
        let body: Value = api.post(&format!("/apps/{app}/builds"), &json!({ "source_blob": source }))?.body;
        Ok(read::<Build>(&body)?.id)
    }
}

/// An image is built on the stack of images only.
fn take_stack(context: &Context, api: &Api, app: &AppName) -> Result<()> {
    let found: App = read(&api.get(&format!("/apps/{app}"))?)?;
    if found.build_stack.is_some_and(|stack| stack.name == stack::CONTAINER) {
        return Ok(());
    }
    let stack = stack::replace(api, app, stack::CONTAINER)?;
    context.screen.say(&format!("The stack of {app} is {stack} from now on."));
    Ok(())
}

/// Waits until the build has ended, and returns its release.
fn released(context: &Context, api: &Api, app: &AppName, id: &str) -> Result<Release> {
    let path = format!("/apps/{app}/builds/{}", segment(id));
    let ended = wait::until(&context.screen, LIMIT, || {
        Ok(Some(read::<Build>(&api.get(&path)?)?).filter(|build| !build.is_open()))
    })?;
    let build = ended.ok_or_else(|| Error::failed("the server did not end the build in two hours"))?;
    let Some(version) = build.release.as_ref().and_then(|release| release.version) else {
        let reason = build.reason.unwrap_or_else(|| format!("the build is {}", build.state));
        let hint = build.hint.map(|hint| wording::sentence(&hint));
        return Err(Error::failed(reason).hint(hint.unwrap_or_else(|| {
            format!("`paasctl builds:info {} -a {app}` shows what happened.", crate::api::short_id(id))
        })));
    };
    read(&api.get(&format!("/apps/{app}/releases/{version}"))?)
}

/// Returns the source of an app that is nothing but an image.
fn archive(image: &str) -> std::io::Result<Vec<u8>> {
    let dockerfile = format!("FROM {image}\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    archive.append_data(&mut header, "Dockerfile", dockerfile.as_bytes())?;
    let mut compressed = archive.into_inner()?;
    compressed.flush()?;
    compressed.finish()
}

/// Takes what can be the name of an image, and nothing that would be another line or another instruction.
fn image_name(text: &str) -> std::result::Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    let fits = text.len() <= NAME_MAX && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("it is no name of an image, such as ghcr.io/ada/shop:v3".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_an_image_is_one_word_and_no_option() {
        for name in ["debian", "ghcr.io/ada/shop:v3", "localhost:5000/a_b@sha256:00ff"] {
            assert_eq!(image_name(name).as_deref(), Ok(name));
        }
        for name in ["", "-x", "--platform=a", "a b", "a\nRUN x", "$HOME", "ü"] {
            assert!(image_name(name).is_err(), "{name}");
        }
    }
}

//! `aws:bake`: makes the image that hosts start from, and has the launch template name it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws::Clients;
use aws::bake::{BakeError, Baking, Engine, Ground, Next, Program, Progress, Recipe, bake, look, next};
use aws::setup::Asked;
use clap::ValueEnum;
use jiff::Zoned;
use model::name::AppName;
use model::slug::Digest;
use model::wording;
use serde_json::json;

use super::consent::consent;
use super::options::{PricesOption, WhereOptions};
use super::{failed, wait_for};
use crate::api::{Api, read, release::Release};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Make the image that hosts start from
///
/// A builder instance installs what a host needs, and is made an image of; the launch template names it from then on. A fleet replaces its hosts by
/// itself, one zone after the other. It may be interrupted anywhere and run again with the same options; with nothing new it does nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:bake --name prod --region us-east-1 --warm shop
  …
  Bake it? [y/n] y
    uploaded paasd, 36.4 MB
    started a builder
      system packages
  …
  Hosts of prod start from ami-0f3e… now.")]
pub(crate) struct Bake {
    #[command(flatten)]
    place: WhereOptions,

    /// The program that hosts run; otherwise the `paasd` beside paasctl
    #[arg(long, value_name = "FILE")]
    paasd: Option<PathBuf>,

    /// Put the slug that an app runs into the image, so that hosts start it at once; may be repeated
    #[arg(long, value_name = "APP", num_args = 1.., value_delimiter = ',')]
    warm: Vec<AppName>,

    /// How hosts run replicas
    #[arg(long, value_enum, default_value = "sandbox")]
    engine: EngineOption,

    /// What the builder is; otherwise what hosts are
    #[arg(long = "type", value_name = "TYPE")]
    instance_type: Option<String>,

    /// The image to begin with; otherwise the newest Debian 12
    #[arg(long, value_name = "AMI")]
    image: Option<String>,

    /// Where the builder is, in a network that was adopted
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,

    /// Make it anew, with the newest packages, though nothing else has changed since an earlier day
    #[arg(long)]
    renew: bool,

    #[command(flatten)]
    prices: PricesOption,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

/// How hosts run replicas.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EngineOption {
    /// In sandboxes
    Sandbox,
    /// In containers of a Docker Engine that is in the image
    Docker,
}

impl Bake {
    /// Shows, asks, bakes.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let prices = self.prices.read()?;
        let screen = &context.screen;
        let programs = self.programs()?;
        let warm = self.slugs(context)?;
        let image = wait_for(async {
            let clients = self.place.clients().await?;
            let ground = self.ground(&clients).await?;
            for program in &programs {
                ground.fits(program).map_err(|error| stopped(&error))?;
            }
            let (name, recipe) = (&self.place.name, self.recipe(&ground, &programs, warm));
            let baking =
                Baking { clients: &clients, name, ground: &ground, recipe: &recipe, programs: &programs };
            if !is_done(baking).await? {
                let region = prices.region(&clients.region);
                let hour = region.and_then(|prices| prices.instances.get(&ground.instance_type));
                screen.say(&format!("{}\n{}\n", plan(baking), cost(&ground.instance_type, hour)));
                consent(self.yes, "Bake it?", "nothing was changed", "bake it")?;
            }
            let tell = |progress: Progress<'_>| {
                if let Some(line) = line(progress) {
                    screen.say(&line);
                }
            };
            bake(baking, tell).await.map_err(|error| stopped(&error))
        })?;
        screen.say(&format!("Hosts of {} start from {image} now.", self.place.name));
        if self.json.json { screen.json(&json!({ "image": image })) } else { Ok(()) }
    }

    async fn ground(&self, clients: &Clients) -> Result<Ground> {
        let asked = Asked {
            image: self.image.clone(),
            subnet: self.subnet.clone(),
            instance_type: self.instance_type.clone(),
        };
        Ground::find(clients, &self.place.any(), asked).await.map_err(|error| stopped(&error))
    }

    fn recipe(&self, ground: &Ground, programs: &[Program], warm: BTreeSet<Digest>) -> Recipe {
        let named = |name: &str| {
            let program =
                programs.iter().find(|program| program.path.file_name().is_some_and(|is| is == name));
            program.map(|program| program.digest.clone())
        };
        let (paasd, uv) = (programs[0].digest.clone(), named("uv"));
        let engine = match self.engine {
            EngineOption::Sandbox => Engine::Sandbox,
            EngineOption::Docker => Engine::Docker,
        };
        let renewed = self.renew.then(|| Zoned::now().date().to_string());
        Recipe { base: ground.base.clone(), engine, paasd, uv, warm, renewed }
    }

    /// Returns the programs that go in, `paasd` first.
    fn programs(&self) -> Result<Vec<Program>> {
        let paasd = match &self.paasd {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("paasd"),
        };
        let uv = paasd.with_file_name("uv");
        let all = [Some(paasd), uv.exists().then_some(uv)].into_iter().flatten();
        all.map(|path| program(&path)).collect()
    }

    /// Returns the slugs of the apps to be warm, as the platform tells them.
    fn slugs(&self, context: &Context) -> Result<BTreeSet<Digest>> {
        if self.warm.is_empty() {
            return Ok(BTreeSet::new());
        }
        let api = context.api()?;
        self.warm.iter().map(|app| slug(&api, app).map_err(|error| context.explained(error))).collect()
    }
}

/// Returns a program for Linux.
pub(super) fn program(path: &Path) -> Result<Program> {
    Program::read(path).map_err(|error| {
        Error::failed(error.to_string()).hint("--paasd FILE names a paasd, built for Linux.")
    })
}

/// Returns the slug that an app runs now.
fn slug(api: &Api, app: &AppName) -> Result<Digest> {
    let releases: Vec<Release> = read(&api.newest(&format!("/apps/{app}/releases"), "version", 50)?)?;
    let current = releases.into_iter().find(|release| release.current).and_then(|release| release.slug);
    let digest = current.and_then(|slug| slug.digest).and_then(|digest| digest.parse().ok());
    digest.ok_or_else(|| Error::failed(format!("{app} runs no slug, so there is none to be warm")))
}

fn stopped(error: &BakeError) -> Error {
    let told = match error {
        BakeError::Builder { console, .. } if !console.is_empty() => {
            format!("{error}; the last lines on its console:\n  {}", console.join("\n  "))
        }
        _ => error.to_string(),
    };
    let hint = match error {
        BakeError::Failure(failure) => failure.hint(),
        BakeError::NoFooting(error) => error.hint(),
        BakeError::OtherDisk { .. } => "`paasctl aws:up --image AMI` has the launch template fit it.".into(),
        BakeError::OtherMachine { .. } => "--paasd FILE names another, --image AMI another image.".into(),
        BakeError::Unreadable { .. } | BakeError::Address(_) => {
            "Run it again; it goes on where it stopped.".into()
        }
        BakeError::NotInBucket { .. } => {
            "Slugs are there with `paasd serve --blobs s3://BUCKET`; without --warm the image needs none."
                .into()
        }
        BakeError::TooLong(_) => "Name fewer apps with --warm.".into(),
        BakeError::Builder { .. } => "It has been ended; running this again starts another.".into(),
        BakeError::Slow(_) => "Running this again goes on waiting.".into(),
    };
    Error::failed(told).hint(hint)
}

/// Tells whether there is nothing to do.
async fn is_done(baking: Baking<'_>) -> Result<bool> {
    let fingerprint = baking.recipe.fingerprint();
    let seen = look(baking.clients, baking.name, baking.ground.template(), fingerprint.as_str()).await;
    let seen = seen.map_err(|failure| failed(&failure))?;
    Ok(matches!(next(fingerprint.as_str(), &seen), Next::Done(_)))
}

/// Returns what goes in, as text.
fn plan(baking: Baking<'_>) -> String {
    let Baking { ground, programs, recipe, .. } = baking;
    let mut lines = vec![format!("An image on top of {} {}, with", ground.base, ground.base_name)];
    for program in programs {
        let name = program.path.file_name().unwrap_or_default().to_string_lossy();
        lines.push(format!("  {name}, {}, {}", wording::bytes(program.bytes), program.digest.short()));
    }
    lines.push(format!("  what hosts need to run replicas with the engine `{}`", recipe.engine));
    lines.extend(recipe.warm.iter().map(|slug| format!("  the slug {}", slug.short())));
    lines.join("\n")
}

/// Returns what it costs, in a sentence.
fn cost(instance_type: &str, hour: Option<&model::cost::Money>) -> String {
    let hour = hour.map_or_else(
        || "a price that is not in the table".to_owned(),
        |price| format!("${:.4} an hour", price.dollars()),
    );
    format!(
        "A builder, {instance_type}, runs for some minutes and for 30 at most, at {hour}. Of an image only what differs \
         from the one before is paid for, by the gigabyte and month; the last {} are kept.",
        aws::bake::KEPT
    )
}

/// Returns a line for what happens.
fn line(progress: Progress<'_>) -> Option<String> {
    Some(match progress {
        Progress::Uploaded(program) => {
            let name = program.path.file_name().unwrap_or_default().to_string_lossy();
            format!("  uploaded {name}, {}", wording::bytes(program.bytes))
        }
        Progress::Says(line) => format!("    {line}"),
        Progress::Unclear(failure) => format!("  {failure}; looking what there is"),
        Progress::Begins(step) => match step {
            Next::Start => "  starting a builder".into(),
            Next::Watch(builder) => format!("  the builder {builder} is at work"),
            Next::End(builders) => format!("  ending {}", builders.join(", ")),
            Next::GiveUp { builder, .. } => format!("  ending {builder}, which failed"),
            Next::Capture(builder) => format!("  making an image of {builder}"),
            Next::Await(image) => format!("  AWS makes the image {image}"),
            Next::Use(image) => format!("  the launch template gets {image}"),
            Next::Discard(image) => format!("  removing the image {image}"),
            Next::Drop(snapshot) => format!("  removing the snapshot {snapshot}"),
            Next::Done(_) => return None,
        },
    })
}

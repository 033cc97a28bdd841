//! Takes the steps. After each it looks anew at what there is, so that it goes on wherever it, or an earlier run, was cut off.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::builder::{self, Order};
use super::{
    Architecture, BuilderState, Ground, Next, Program, Recipe, Seen, TooLong, image, look, next, script,
    upload,
};
use crate::clients::Clients;
use crate::failure::{Failure, TOKEN_USED_UP};
use crate::setup::{ClusterName, NoFooting, Patience};

/// How long AWS may take for an image.
const IMAGE_WITHIN: Duration = Duration::from_secs(60 * 60);

/// How often it is looked while others work; nothing tells.
const LOOK: Duration = Duration::from_secs(2);

/// What is baked, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Baking<'a> {
    /// AWS.
    pub clients: &'a Clients,
    /// The platform.
    pub name: &'a ClusterName,
    /// Where.
    pub ground: &'a Ground,
    /// What goes in.
    pub recipe: &'a Recipe,
    /// The programs of the recipe.
    pub programs: &'a [Program],
}

/// What happens, for who watches.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Begins(&'a Next),
    /// A program was uploaded.
    Uploaded(&'a Program),
    /// The builder says how far it is.
    Says(&'a str),
    /// An answer was lost; what there is is looked up.
    Unclear(&'a Failure),
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BakeError {
    /// AWS did not do it.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The set-up has nothing to bake with.
    #[error(transparent)]
    NoFooting(#[from] NoFooting),
    /// The image's disk has another name than that of the launch template.
    #[error("the image's disk is {image}, and that of the launch template {template}")]
    OtherDisk {
        /// The template's.
        template: String,
        /// The image's.
        image: String,
    },
    /// A program is for other machines.
    #[error("{path} is for {is}, and hosts are {machine}")]
    OtherMachine {
        /// Which one.
        path: PathBuf,
        /// What it is for.
        is: Architecture,
        /// What hosts are.
        machine: Architecture,
    },
    /// A program cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A slug is not where slugs of the platform are.
    #[error("{key} is not in the bucket {bucket}")]
    NotInBucket {
        /// Its key.
        key: String,
        /// The bucket.
        bucket: String,
    },
    /// An address cannot be signed.
    #[error("an address for the builder cannot be made: {0}")]
    Address(String),
    /// Too much goes in.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The builder failed.
    #[error("the builder failed: {why}")]
    Builder {
        /// At which step, or why.
        why: String,
        /// The last lines on its console.
        console: Vec<String>,
    },
    /// AWS takes too long.
    #[error("AWS has not finished the image {0} within {min} minutes", min = IMAGE_WITHIN.as_secs() / 60)]
    Slow(String),
}

/// Bakes, or does what is left of it. Returns the image's id.
///
/// # Errors
/// It cannot go on. What was done stays, and the next run goes on from there; a builder that failed is ended.
pub async fn bake(baking: Baking<'_>, mut tell: impl FnMut(Progress<'_>)) -> Result<String, BakeError> {
    let fingerprint = baking.recipe.fingerprint();
    let mut run = Run { baking, fingerprint: fingerprint.as_str(), order: None, attempts: 0, trouble: None };
    let (mut step, mut said, mut since) = (None, None, Instant::now());
    loop {
        let seen = run.look().await?;
        let now = next(run.fingerprint, &seen);
        if step.as_ref() != Some(&now) {
            tell(Progress::Begins(&now));
            since = Instant::now();
        }
        if let Some(line) = seen.says().filter(|line| said.as_deref() != Some(*line)) {
            tell(Progress::Says(line));
            said = Some(line.to_owned());
        }
        match &now {
            Next::Done(image) => return Ok(image.clone()),
            Next::Await(image) if since.elapsed() > IMAGE_WITHIN => {
                return Err(BakeError::Slow(image.clone()));
            }
            Next::Watch(_) | Next::Await(_) => sleep(LOOK).await,
            now => run.take(now, &seen, &mut tell).await?,
        }
        step = Some(now);
    }
}

/// One run of the command.
struct Run<'a> {
    baking: Baking<'a>,
    fingerprint: &'a str,
    /// The builder as it was asked for.
    order: Option<Order>,
    /// How many tokens were used up by earlier runs.
    attempts: usize,
    /// Since when AWS does not do, or does not show, what it was asked for.
    trouble: Option<Instant>,
}

impl Run<'_> {
    async fn look(&self) -> Result<Seen, Failure> {
        let Baking { clients, name, ground, .. } = self.baking;
        look(clients, name, &ground.template, self.fingerprint).await
    }

    /// Takes a step. What is unclear is no error for a while: the next look shows what became of it.
    async fn take(
        &mut self,
        step: &Next,
        seen: &Seen,
        tell: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), BakeError> {
        match self.attempt(step, seen, tell).await {
            Ok(()) => {
                self.trouble = None;
                Ok(())
            }
            Err(BakeError::Failure(failure)) if self.is_bearable(&failure) => {
                tell(Progress::Unclear(&failure));
                sleep(LOOK).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn is_bearable(&mut self, failure: &Failure) -> bool {
        let since = self.trouble.get_or_insert_with(Instant::now).elapsed();
        let patience = Patience::default();
        // An earlier run has asked with this token. Its builder is no more, or is seen soon, or ended long ago.
        let is_gone = failure.code == TOKEN_USED_UP;
        if is_gone || (failure.code.starts_with("Idempotent") && since > patience.unseen) {
            (self.order, self.attempts) = (None, self.attempts + 1);
        }
        failure.kind.is_unclear() && since < patience.passing
    }

    async fn attempt(
        &mut self,
        step: &Next,
        seen: &Seen,
        tell: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), BakeError> {
        let Baking { clients, name, ground, .. } = self.baking;
        match step {
            Next::Start => {
                let order = self.order(seen, tell).await?;
                builder::start(clients, name, ground, self.fingerprint, &order).await?;
            }
            Next::End(ids) => builder::end(clients, ids).await?,
            Next::GiveUp { builder, why } => {
                builder::end(clients, std::slice::from_ref(builder)).await?;
                return Err(BakeError::Builder { why: why.clone(), console: seen.console.clone() });
            }
            Next::Capture(builder) => image::capture(clients, name, self.fingerprint, builder).await?,
            Next::Use(image) => image::put_to_use(clients, &ground.template, image).await?,
            Next::Discard(image) => image::discard(clients, image).await?,
            Next::Drop(snapshot) => image::discard_snapshot(clients, snapshot).await?,
            Next::Watch(_) | Next::Await(_) | Next::Done(_) => {}
        }
        Ok(())
    }

    /// Returns the builder as it is asked for: made once, so that it is asked for again in the same words.
    async fn order(&mut self, seen: &Seen, tell: &mut impl FnMut(Progress<'_>)) -> Result<Order, BakeError> {
        if let Some(order) = &self.order {
            return Ok(order.clone());
        }
        let Baking { clients, ground, recipe, programs, .. } = self.baking;
        for program in programs {
            if upload::upload(clients, &ground.bucket, program).await? {
                tell(Progress::Uploaded(program));
            }
        }
        let addresses = upload::addresses(clients, &ground.bucket, &recipe.items()).await?;
        // A token is used up with the builder that it gave.
        let gone = |builder: &&super::Builder| {
            builder.state == BuilderState::Gone && builder.fingerprint == self.fingerprint
        };
        let attempt = seen.builders.iter().filter(gone).count() + self.attempts;
        let digits = self.fingerprint.get(..40).unwrap_or(self.fingerprint);
        let order = Order { token: format!("bake-{digits}-{attempt}"), script: script(recipe, &addresses)? };
        Ok(self.order.insert(order).clone())
    }
}

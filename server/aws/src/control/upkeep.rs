//! What the control plane's machine is asked to become: an order in the bucket, which the machine looks for at each of its starts.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use model::slug::Digest;
use model::upkeep::{BACKUPS, ORDER_KEY, OUTCOME_KEY, Order, Outcome};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::ControlError;
use crate::bake::{Program, is_there, upload};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{Footing, Part, Patience, Wish, bear};

/// How long the machine may take to do what is asked, with a backup and a restore of all that there is.
const WITHIN: Duration = Duration::from_secs(45 * 60);

/// How long the server may take after that until it serves.
const SERVES_WITHIN: Duration = Duration::from_secs(5 * 60);

/// How often it is looked what became of it; nothing tells.
const LOOK: Duration = Duration::from_secs(2);

/// How long an order or its outcome may be, in bytes.
const LONGEST: i64 = 64 * 1024;

/// The bucket of a platform.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'a> {
    /// What it is reached with.
    pub clients: &'a Clients,
    /// Its name.
    pub name: &'a str,
}

/// A backup in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// How large it is, in bytes.
    pub bytes: u64,
}

/// Returns the name of a platform's bucket.
///
/// # Errors
/// There is no complete set-up, or AWS does not answer.
pub async fn bucket(clients: &Clients, wish: &Wish) -> Result<String, ControlError> {
    Ok(Footing::find(clients, wish).await?.id(&Part::Bucket)?)
}

impl Bucket<'_> {
    /// Returns the backups, oldest first where they are named by the time.
    ///
    /// # Errors
    /// AWS does not answer for long.
    pub async fn backups(&self) -> Result<Vec<Backup>, Failure> {
        bear(Patience::default(), Kind::is_passing, async || self.list().await).await
    }

    async fn list(&self) -> Result<Vec<Backup>, Failure> {
        let prefix = format!("{BACKUPS}/");
        let call = self.clients.s3.list_objects_v2().bucket(self.name).prefix(&prefix);
        let pages = call.into_paginator().send();
        let pages: Vec<_> = pages.try_collect().await.of("s3:ListBucket")?;
        let objects = pages.iter().flat_map(|page| page.contents());
        let mut backups: Vec<Backup> = objects
            .filter_map(|object| {
                let name = object.key()?.strip_prefix(&prefix)?.to_owned();
                let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
                name.ends_with(".tar.zst").then_some(Backup { name, bytes })
            })
            .collect();
        backups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(backups)
    }

    /// Returns the last order, if there was one that makes sense.
    ///
    /// # Errors
    /// AWS does not answer for long.
    pub async fn order(&self) -> Result<Option<Order>, Failure> {
        self.read(ORDER_KEY).await
    }

    /// Returns what became of the last order that the machine was done with.
    ///
    /// # Errors
    /// AWS does not answer for long.
    pub async fn outcome(&self) -> Result<Option<Outcome>, Failure> {
        self.read(OUTCOME_KEY).await
    }

    /// Brings a program in. Returns whether it was not there yet.
    ///
    /// # Errors
    /// It cannot be read, or AWS does not take it.
    pub async fn bring(&self, program: &Program) -> Result<bool, ControlError> {
        upload(self.clients, self.name, program).await.map_err(|error| ControlError::Upload(Box::new(error)))
    }

    /// Returns the `paasd` that the machine had last, if another one can have it from here.
    ///
    /// # Errors
    /// AWS does not answer for long.
    pub async fn last_program(&self) -> Result<Option<Digest>, Failure> {
        let Some(Outcome { program, .. }) = self.outcome().await? else { return Ok(None) };
        let look = async || is_there(self.clients, self.name, &program).await;
        Ok(bear(Patience::default(), Kind::is_passing, look).await?.then_some(program))
    }

    /// Places an order. The machine finds it at its next start.
    ///
    /// # Errors
    /// AWS does not take it for long.
    pub async fn place(&self, order: &Order) -> Result<(), Failure> {
        // Of names and digests: it can always be written.
        let text = serde_json::to_vec(order).unwrap_or_default();
        bear(Patience::default(), is_bearable, async || {
            let body = ByteStream::from(text.clone());
            let call = self.clients.s3.put_object().bucket(self.name).key(ORDER_KEY).body(body);
            call.send().await.of("s3:PutObject").map(drop)
        })
        .await
    }

    /// Waits until the machine is done with an order; `tell` is called now and then meanwhile.
    ///
    /// # Errors
    /// It takes too long, or AWS does not answer for long.
    pub async fn outcome_of(
        &self,
        order: &Order,
        tell: impl FnMut(Duration),
    ) -> Result<Outcome, ControlError> {
        let outcome = self.outcome_that(order, WITHIN, |_| true, tell).await?;
        outcome.ok_or(ControlError::Untold(WITHIN))
    }

    /// Waits until the server serves that starts after an order; `tell` is called now and then meanwhile.
    ///
    /// # Errors
    /// It takes too long, or AWS does not answer for long.
    pub async fn serves(&self, order: &Order, tell: impl FnMut(Duration)) -> Result<Outcome, ControlError> {
        let outcome = self.outcome_that(order, SERVES_WITHIN, |outcome| outcome.serves_since.is_some(), tell);
        outcome.await?.ok_or(ControlError::Mute(SERVES_WITHIN))
    }

    /// Waits for an outcome of an order; returns nothing if it takes too long.
    async fn outcome_that(
        &self,
        order: &Order,
        within: Duration,
        is_so: impl Fn(&Outcome) -> bool,
        mut tell: impl FnMut(Duration),
    ) -> Result<Option<Outcome>, ControlError> {
        let since = Instant::now();
        while since.elapsed() < within {
            let outcome = self.outcome().await?.filter(|outcome| outcome.order == order.id);
            if let Some(outcome) = outcome.filter(&is_so) {
                return Ok(Some(outcome));
            }
            if self.order().await?.is_some_and(|latest| latest.id != order.id) {
                return Err(ControlError::Overtaken);
            }
            tell(since.elapsed());
            sleep(LOOK).await;
        }
        Ok(None)
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        let once = async || {
            let call = self.clients.s3.get_object().bucket(self.name).key(key);
            let found = match call.send().await.of("s3:GetObject") {
                Ok(found) => found,
                Err(failure) if failure.kind == Kind::Unknown => return Ok(None),
                Err(failure) => return Err(failure),
            };
            if found.content_length().is_some_and(|bytes| bytes > LONGEST) {
                return Ok(None);
            }
            // What is cut off makes no sense, and is read again.
            let bytes = found.body.collect().await.map(|body| body.into_bytes()).unwrap_or_default();
            Ok(serde_json::from_slice(&bytes).ok())
        };
        bear(Patience::default(), Kind::is_passing, once).await
    }
}

/// Starts a machine anew, as a switch does.
///
/// # Errors
/// AWS does not do it for long.
pub async fn restart(clients: &Clients, id: &str) -> Result<(), Failure> {
    // Twice is as good as once: nothing begins before the order is in the bucket.
    let again =
        async || clients.ec2.reboot_instances().instance_ids(id).send().await.of("ec2:RebootInstances");
    bear(Patience::default(), is_bearable, again).await.map(drop)
}

fn is_bearable(kind: Kind) -> bool {
    kind.is_passing() || kind.is_unclear()
}

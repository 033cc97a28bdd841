//! Makes parts and sets what is to be set. Each call may be repeated, and each resource gets its tags in the call that
//! makes it, so that whatever happens next it is found again.

mod balancer;
mod bucket;
mod groups;
mod network;
mod roles;
mod template;

pub(super) use groups::permission;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use super::{CLUSTER_TAG, Found, PART_TAG, Part, Piece, Setting, Wish};
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

/// What a step works with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making<'a> {
    pub(super) clients: &'a Clients,
    pub(super) wish: &'a Wish,
    pub(super) found: &'a Found,
}

impl Making<'_> {
    /// Makes a part.
    ///
    /// # Errors
    /// AWS did not do it, or did not say.
    pub(super) async fn create(&self, part: &Part) -> Result<Piece, Failure> {
        let id = match part {
            Part::Bucket => self.bucket().await?,
            Part::Group(who) => self.group(*who).await?,
            Part::Role(who) => self.role(*who).await?,
            Part::Profile(who) => self.profile(*who).await?,
            Part::Template => self.template().await?,
            Part::Balancer(_) => self.balancer(part).await?,
            Part::Listener(number, port) => self.listener(*number, *port).await?,
            network => self.network_part(network).await?,
        };
        // These are made as wanted in one call; all else is set afterwards.
        let whole = match part {
            Part::BucketEndpoint => Some(Setting::ListedInRoutes),
            Part::Template => Some(Setting::Content),
            Part::Balancer(_) => Some(Setting::Subnets),
            Part::Listener(..) => Some(Setting::Answer),
            _ => None,
        };
        Ok(Piece { id, holds: whole.into_iter().collect(), used: 0 })
    }

    /// Sets something of a part that exists.
    ///
    /// # Errors
    /// AWS did not do it, or did not say.
    pub(super) async fn set(&self, part: &Part, setting: Setting) -> Result<(), Failure> {
        match part {
            Part::Bucket => self.set_bucket(setting).await,
            Part::Group(who) => self.set_rules(*who).await,
            Part::Role(who) => self.set_policy(*who).await,
            Part::Profile(who) => self.set_role(*who).await,
            Part::Template if setting == Setting::DnsZone => self.set_zone().await,
            Part::Template => self.set_content().await,
            Part::Balancer(_) if setting == Setting::Subnets => self.set_subnets(part).await,
            Part::Balancer(_) => self.set_strict_headers(part).await,
            Part::Listener(_, port) => self.set_answer(part, *port).await,
            network => self.set_network(network, setting).await,
        }
    }

    /// Returns the id of a part that comes before.
    fn id(&self, part: &Part) -> Result<&str, Failure> {
        self.found.id(part).ok_or_else(|| missing(part))
    }

    fn vpc(&self) -> Result<&str, Failure> {
        super::look::vpc(self.wish, self.found).ok_or_else(|| missing(&Part::Vpc))
    }

    /// Returns the tags of a part: what it is called, whose it is, and what it is.
    fn tags(&self, part: &Part) -> [(&'static str, String); 3] {
        [
            ("Name", format!("paas-{} {}", self.wish.name, part.words())),
            (CLUSTER_TAG, self.wish.name.to_string()),
            (PART_TAG, part.to_string()),
        ]
    }

    fn tagged(&self, kind: ResourceType, part: &Part) -> TagSpecification {
        let tags = self.tags(part).map(|(key, value)| Tag::builder().key(key).value(value).build());
        TagSpecification::builder().resource_type(kind).set_tags(Some(tags.to_vec())).build()
    }
}

fn missing(part: &Part) -> Failure {
    unclear("aws:up", &format!("{} is not there", part.words()))
}

/// Returns a failure for an answer that does not say what was made.
fn unclear(action: &'static str, message: &str) -> Failure {
    Failure { kind: Kind::Lost, action, code: "unclear".into(), message: message.to_owned() }
}

/// Returns what an answer must have.
fn told(action: &'static str, id: Option<&str>) -> Result<String, Failure> {
    id.map(str::to_owned).ok_or_else(|| unclear(action, "the answer names nothing"))
}

/// Returns success for what was so already.
fn done(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.kind == Kind::Conflict => Ok(()),
        outcome => outcome,
    }
}

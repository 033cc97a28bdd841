//! What a machine of the platform's own, beside its hosts, is started with: what of the set-up it needs, and what was asked for in
//! its place.

use aws_sdk_ec2::types::ResponseLaunchTemplateData;

use super::look::default_version;
use super::settle::{Patience, bear, look};
use super::way_out::way_out;
use super::{ClusterName, Found, Part, Wish};
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

/// What is asked for where the set-up does not say it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The image; otherwise what such a machine usually begins with.
    pub image: Option<String>,
    /// Where it is started; otherwise where machines can call out.
    pub subnet: Option<String>,
    /// What it is; otherwise what hosts are.
    pub instance_type: Option<String>,
}

/// Why no machine can be started.
#[derive(Debug, thiserror::Error)]
pub enum NoFooting {
    /// AWS did not say what there is.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The set-up is not complete.
    #[error("the set-up {name} has no {part}")]
    NoSetup {
        /// Which platform's.
        name: ClusterName,
        /// What is missing.
        part: String,
    },
    /// The network was adopted.
    #[error("the platform's network is none that `aws:up` made, so it does not say where {machine} can be")]
    NoSubnet {
        /// What is to be started.
        machine: &'static str,
    },
}

/// What there is for it.
pub(crate) struct Footing {
    /// The launch template's id.
    pub(crate) template: String,
    /// The bucket.
    pub(crate) bucket: String,
    /// What hosts are started with.
    pub(crate) host: Option<ResponseLaunchTemplateData>,
    /// The set-up.
    pub(crate) found: Found,
    name: ClusterName,
}

impl NoFooting {
    /// Returns what its user can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Failure(failure) => failure.hint(),
            Self::NoSetup { name, .. } => format!("`paasctl aws:up --name {name}` makes it."),
            Self::NoSubnet { .. } => "--subnet names one of it whose machines can call out.".into(),
        }
    }
}

impl Footing {
    /// Finds it.
    ///
    /// # Errors
    /// There is no complete set-up, or AWS does not answer.
    pub(crate) async fn find(clients: &Clients, wish: &Wish) -> Result<Self, NoFooting> {
        let patience = Patience::default();
        let (found, name) = (look(clients, wish, patience).await?, wish.name.clone());
        let (template, bucket) = (id(&found, &name, &Part::Template)?, id(&found, &name, &Part::Bucket)?);
        let read = async || default_version(clients, &template).await;
        let host = bear(patience, Kind::is_passing, read).await?;
        Ok(Self { template, bucket, host, found, name })
    }

    /// Returns the id of a part.
    ///
    /// # Errors
    /// The set-up has none.
    pub(crate) fn id(&self, part: &Part) -> Result<String, NoFooting> {
        id(&self.found, &self.name, part)
    }

    /// Returns a subnet whose machines can call out.
    ///
    /// # Errors
    /// The network is not our own. The error speaks of the machine in these words.
    pub(crate) fn subnet(&self, machine: &'static str) -> Result<String, NoFooting> {
        way_out(&self.found).ok_or(NoFooting::NoSubnet { machine })
    }

    /// Returns what hosts are.
    pub(crate) fn instance_type(&self) -> String {
        let kind = self.host.as_ref().and_then(|data| data.instance_type());
        kind.map(|kind| kind.as_str().to_owned()).unwrap_or_default()
    }
}

fn id(found: &Found, name: &ClusterName, part: &Part) -> Result<String, NoFooting> {
    let missing = || NoFooting::NoSetup { name: name.clone(), part: part.words() };
    found.id(part).map(str::to_owned).ok_or_else(missing)
}

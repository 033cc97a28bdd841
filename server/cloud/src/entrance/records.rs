//! The names in DNS under which visitors come to the balancers, where the platform keeps them itself.

use std::collections::BTreeSet;

use async_trait::async_trait;
use model::name::Hostname;

use super::provider::{Listed, Refused};

/// Which names should lead to the balancers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesWish {
    /// The domain below which each app has a name.
    pub domain: Hostname,
    /// The control plane's own name.
    pub control: Hostname,
    /// The balancers, in the order in which they are listed; there is one at least.
    pub balancers: Vec<Listed>,
    /// The names of each app, with the address of the balancer that it is on, if that is known.
    pub apps: Vec<(BTreeSet<Hostname>, Option<String>)>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many names lead elsewhere than before, or nowhere.
    pub changed: usize,
    /// What is not as wanted and is somebody else's to change, as sentences.
    pub alarms: Vec<String>,
}

/// A place in DNS in which the platform may keep records.
#[async_trait]
pub trait RecordKeeper: Send + Sync {
    /// Lets names lead where they should, if there is a zone for that. It may be repeated, and be cut short anywhere; `may` tells whether
    /// this server still decides, without which nothing is changed.
    ///
    /// # Errors
    /// What is not as wanted.
    async fn keep_names(
        &self,
        wish: &NamesWish,
        may: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Kept, Refused>;
}

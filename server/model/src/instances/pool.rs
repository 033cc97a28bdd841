//! Where an instance may come from: a zone, a type, and how it is paid for. What a pool lacked is remembered for a while,
//! so that the next one is tried instead.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a pool is left alone that the cloud takes instances back from: what is started there at once is the next to go.
const TAKEN_BACK: SignedDuration = SignedDuration::from_mins(10);

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Cheaper, and taken back with two minutes' notice.
    Spot,
    /// At the listed price, for as long as it is wanted.
    OnDemand,
}

impl Lifecycle {
    /// Returns the word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Lifecycle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Spot, Self::OnDemand]
            .into_iter()
            .find(|lifecycle| lifecycle.as_str() == text)
            .ok_or_else(|| format!("an instance is `spot` or `on-demand`, not `{}`", text.escape_debug()))
    }
}

/// What instances are taken from. Each has its own capacity, and lacks it on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// The zone.
    pub zone: String,
    /// The type, such as `m7g.large`.
    pub instance_type: String,
    /// How it is paid for.
    pub lifecycle: Lifecycle,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) in {}", self.instance_type, self.lifecycle, self.zone)
    }
}

/// Which pools lack something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This one.
    Pool(Pool),
    /// Those of a type in every zone.
    Type {
        /// The type.
        instance_type: String,
        /// How it is paid for.
        lifecycle: Lifecycle,
    },
    /// All of a zone.
    Zone(String),
    /// All that are paid for in this way.
    Lifecycle(Lifecycle),
    /// All.
    Everywhere,
}

/// A pool gave no instance, and is not asked again for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// Which pools.
    pub of: Scope,
    /// Why, as a sentence.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

impl Lack {
    /// Returns that of a pool whose instances the cloud takes back just now, or may take back soon. It takes back none that are
    /// paid for in full.
    #[must_use]
    pub fn taken_back(pool: &Pool, now: Timestamp) -> Option<Self> {
        (pool.lifecycle == Lifecycle::Spot).then(|| Self {
            of: Scope::Pool(pool.clone()),
            reason: format!("{pool} is taken back, or may be soon"),
            until: now + TAKEN_BACK,
        })
    }

    /// Tells whether it keeps this pool from being asked now.
    #[must_use]
    pub fn covers(&self, pool: &Pool, now: Timestamp) -> bool {
        now < self.until
            && match &self.of {
                Scope::Pool(lacking) => lacking == pool,
                Scope::Type { instance_type, lifecycle } => {
                    (instance_type, *lifecycle) == (&pool.instance_type, pool.lifecycle)
                }
                Scope::Zone(zone) => *zone == pool.zone,
                Scope::Lifecycle(lifecycle) => *lifecycle == pool.lifecycle,
                Scope::Everywhere => true,
            }
    }
}

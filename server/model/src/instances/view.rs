//! What is looked at when the fleet is judged: settings, what replicas need, and for each launch what was asked for, what
//! the cloud says of it, and what its host says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pool::{Lack, Pool};
use super::room::{Room, Sizes};
use super::settings::Settings;
use crate::id::LaunchId;
use crate::plan::Standing;

/// The cloud's name of an instance: `i-` and up to 17 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

impl InstanceId {
    /// Returns it as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = |digits: &str| {
            (1..=17).contains(&digits.len()) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        match text.strip_prefix("i-") {
            Some(digits) if is_hex(digits) => Ok(Self(text.to_owned())),
            _ => Err("the id of an instance is `i-` and hexadecimal digits".to_owned()),
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An instance with the platform's mark that belongs to no launch.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Which one.
    pub id: InstanceId,
    /// Since when it is known.
    pub since: Timestamp,
    /// A load balancer sends it visitors, or lets it finish with some.
    pub visited: bool,
}

/// The fleet at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// What was decided beforehand.
    pub settings: Settings,
    /// The launches that are not over, in the order of their ids.
    pub instances: Vec<Instance>,
    /// Instances with the platform's mark that belong to no launch.
    pub strays: Vec<Stray>,
    /// Of these, and of those that are gone, which were ended within the last hour, and since when.
    pub dismissed: BTreeMap<InstanceId, Timestamp>,
    /// Replicas that are wanted and have no place.
    pub waiting: Sizes,
    /// When the cloud last said what there is; nothing if it never did.
    pub told_at: Option<Timestamp>,
    /// Why it does not say so now, in its words, if it does not.
    pub untold: Option<String>,
    /// What pools lack.
    pub lacks: Vec<Lack>,
    /// What ended within the last hour, in any order.
    pub past: Vec<Past>,
    /// When a host last joined from an instance of a zone.
    pub joined: BTreeMap<String, Timestamp>,
    /// Since when fewer hosts would suffice, as the last look found.
    pub surplus_since: Option<Timestamp>,
    /// Too few hosts are heard of: what is known of them may be wrong.
    pub cut_off: bool,
    /// The time.
    pub now: Timestamp,
}

/// A launch and what became of it. One launch is for one instance: it can be asked for again without making a second one,
/// and none is given in part.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The launch; the cloud is told it with the order.
    pub launch: LaunchId,
    /// Where it is to come from.
    pub pool: Pool,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When it was last asked for; nothing before the first time.
    pub asked_at: Option<Timestamp>,
    /// When it may be asked for (again), while there is no answer.
    pub ask_at: Timestamp,
    /// The instance it became, as far as that was written down.
    pub id: Option<InstanceId>,
    /// What should become of it.
    pub wish: Wish,
    /// What the cloud says of it.
    pub seen: Sight,
    /// The host that joined from it.
    pub host: Option<Tenant>,
    /// A person removed the host that joined from it.
    pub removed: bool,
    /// Why it ended, in the cloud's words, where it gave any.
    pub says: Option<String>,
    /// It is about to be taken back.
    pub notice: bool,
    /// The cloud says that it is more likely than others to be taken back soon.
    pub risk: bool,
    /// Why another should take its place, such as that its image is an older one.
    pub stale: Option<String>,
    /// That is so because its machine has a date for maintenance: it goes before those that may as well go later.
    pub due: bool,
}

/// What should become of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It should run.
    Run,
    /// Its replicas should run elsewhere, after which it ends.
    Drain {
        /// Since when.
        since: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// It should be there no more.
    End {
        /// Since when.
        since: Timestamp,
        /// Why.
        cause: Cause,
    },
}

impl Wish {
    /// Returns why it should leave, if it should.
    #[must_use]
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Run => None,
            Self::Drain { cause, .. } | Self::End { cause, .. } => Some(cause),
        }
    }
}

/// Why an instance leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Fewer suffice.
    Surplus,
    /// The cloud takes it back.
    Reclaimed,
    /// The cloud may take it back soon, and another takes its place before.
    AtRisk,
    /// Another takes its place.
    Stale,
    /// Its host is lost.
    Lost,
    /// It does not run, or never did.
    Dead,
    /// It runs, and no host joined from it.
    NeverJoined,
    /// It ended by itself before a host joined from it.
    Failed,
    /// It was stopped, and nobody here wanted that.
    Stopped,
    /// A person removed its host.
    Removed,
    /// The cloud gave none.
    Refused,
    /// It ended, and nobody here wanted that.
    Vanished,
}

impl Cause {
    const ALL: [Self; 12] = [
        Self::Surplus,
        Self::Reclaimed,
        Self::AtRisk,
        Self::Stale,
        Self::Lost,
        Self::Dead,
        Self::NeverJoined,
        Self::Failed,
        Self::Stopped,
        Self::Removed,
        Self::Refused,
        Self::Vanished,
    ];

    /// Returns the word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Surplus => "surplus",
            Self::Reclaimed => "reclaimed",
            Self::AtRisk => "at_risk",
            Self::Stale => "stale",
            Self::Lost => "lost",
            Self::Dead => "dead",
            Self::NeverJoined => "never_joined",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
            Self::Refused => "refused",
            Self::Vanished => "vanished",
        }
    }

    /// Tells whether it is our choice to have another in its place: so many of these at most at once, and within an hour.
    #[must_use]
    pub fn is_replacement(self) -> bool {
        matches!(
            self,
            Self::AtRisk | Self::Stale | Self::Lost | Self::Dead | Self::NeverJoined | Self::Stopped
        )
    }

    /// Tells whether it cost something and no host came of it.
    #[must_use]
    pub fn is_fruitless(self) -> bool {
        matches!(self, Self::Dead | Self::NeverJoined | Self::Failed)
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|cause| cause.as_str() == text)
            .ok_or_else(|| format!("no cause `{}`", text.escape_debug()))
    }
}

/// What the cloud says of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing yet: its answer was lost, or what was just made does not show everywhere.
    Unseen,
    /// It is there.
    Seen {
        /// As what.
        id: InstanceId,
        /// In which state.
        state: State,
    },
    /// It was there, and is not in the list any more.
    Missing {
        /// Since when.
        since: Timestamp,
    },
}

/// The state of an instance, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It starts.
    Pending,
    /// It runs.
    Running,
    /// It runs and fails the cloud's own checks.
    Impaired,
    /// It was stopped and could be started.
    Stopped,
    /// It ends or has ended, for good.
    Ended,
}

/// The host that joined from an instance.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// What may be done with it.
    pub standing: Standing,
    /// Since when it is lost.
    pub lost_since: Option<Timestamp>,
    /// What it offers.
    pub offers: Room,
    /// What runs there, until it has ended.
    pub holds: Sizes,
}

/// A launch that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Where its instance was to be.
    pub zone: String,
    /// When it ended.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

impl Instance {
    /// Tells whether it stands for an instance that may be there, also one that is only asked for: what a cap counts.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        !matches!(self.seen, Sight::Seen { state: State::Ended, .. })
    }

    /// Tells whether it should run and is not known to be unable to.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let able = !matches!(
            self.seen,
            Sight::Seen { state: State::Ended | State::Stopped, .. } | Sight::Missing { .. }
        );
        let lost = self.host.as_ref().is_some_and(|host| host.standing == Standing::Lost);
        self.wish == Wish::Run && !self.notice && !self.removed && able && !lost
    }

    /// Tells whether it is wanted and no host yet.
    #[must_use]
    pub fn is_coming(&self) -> bool {
        self.is_wanted() && self.host.is_none()
    }

    /// Returns why it is no more, if nobody here wanted that.
    #[must_use]
    pub fn own_end(&self) -> Cause {
        match self.host {
            _ if self.removed => Cause::Removed,
            _ if self.notice => Cause::Reclaimed,
            Some(_) => Cause::Vanished,
            None => Cause::Failed,
        }
    }

    /// Returns what is free on its host for new replicas; nothing where none may go.
    #[must_use]
    pub fn free(&self) -> Option<Room> {
        let host = self.host.as_ref().filter(|host| host.standing == Standing::Ready)?;
        self.is_wanted().then(|| host.offers.beside(&host.holds))
    }

    /// Tells whether nothing of a replica is left there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.host.as_ref().is_none_or(|host| host.holds.is_empty())
    }

    /// Returns the name for people: the instance's, or that of the order.
    #[must_use]
    pub fn name(&self) -> String {
        let seen = match &self.seen {
            Sight::Seen { id, .. } => Some(id),
            _ => None,
        };
        self.id.as_ref().or(seen).map_or_else(|| format!("launch {}", self.launch), ToString::to_string)
    }
}

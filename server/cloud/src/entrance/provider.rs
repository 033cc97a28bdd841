//! What shared load balancers must be able to do. Each call may be repeated, may hang, and may be done although its answer is
//! lost. What is listed is what bears the platform's mark, and rules of anybody.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use model::entrance::{Target, TargetHealth};
use model::id::AppId;
use model::name::Hostname;

/// A place that has load balancers.
#[async_trait]
pub trait Balancers: Send + Sync {
    /// Returns the platform's balancers that take requests for apps, in an order that stays.
    ///
    /// # Errors
    /// Why nobody knows. A part of them is never returned for all of them.
    async fn balancers(&self) -> Result<Vec<Listed>, Refused>;

    /// Returns the target groups that the platform made, on whichever balancer.
    ///
    /// # Errors
    /// As above.
    async fn groups(&self) -> Result<Vec<Group>, Refused>;

    /// Returns the rules of a listener but its default one.
    ///
    /// # Errors
    /// As above.
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Refused>;

    /// Returns how a group lets targets go, and whether visitors stay with one.
    ///
    /// # Errors
    /// As above.
    async fn manners(&self, group: &str) -> Result<Manners, Refused>;

    /// Returns a group's targets, those included that it lets finish.
    ///
    /// # Errors
    /// As above.
    async fn health(&self, group: &str) -> Result<BTreeMap<Target, TargetHealth>, Refused>;

    /// Makes a group with the platform's mark, the app and the balancer that it is for, and returns its ARN. One of this name
    /// with the same check is the same group.
    ///
    /// # Errors
    /// Why there is none, or why nobody knows whether there is.
    async fn create_group(&self, new: &NewGroup) -> Result<String, Refused>;

    /// Lets a group check its targets like this.
    ///
    /// # Errors
    /// Why it may not do so.
    async fn set_check(&self, group: &str, check: &Check) -> Result<(), Refused>;

    /// Lets a group treat its targets and visitors like this.
    ///
    /// # Errors
    /// Why it may not do so.
    async fn set_manners(&self, group: &str, manners: &Manners) -> Result<(), Refused>;

    /// Removes a group. One that is not there counts as removed.
    ///
    /// # Errors
    /// Why it may still be there.
    async fn delete_group(&self, group: &str) -> Result<(), Refused>;

    /// Makes a rule with the platform's mark.
    ///
    /// # Errors
    /// Why there is none, such as that another one has the number, or why nobody knows whether there is.
    async fn create_rule(&self, listener: &str, priority: u32, leads: &Leads) -> Result<(), Refused>;

    /// Lets a rule lead these names to this group.
    ///
    /// # Errors
    /// Why it may not do so.
    async fn set_rule(&self, rule: &str, leads: &Leads) -> Result<(), Refused>;

    /// Removes a rule. One that is not there counts as removed.
    ///
    /// # Errors
    /// Why it may still be there.
    async fn delete_rule(&self, rule: &str) -> Result<(), Refused>;

    /// Adds targets to a group. One that is there stays; one that was leaving does not leave any more.
    ///
    /// # Errors
    /// Why some may not be there.
    async fn register(&self, group: &str, targets: &[Target]) -> Result<(), Refused>;

    /// Lets targets finish what they have and leave. One that is not there counts as gone.
    ///
    /// # Errors
    /// Why some may still be asked.
    async fn deregister(&self, group: &str, targets: &[Target]) -> Result<(), Refused>;
}

/// A balancer as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// It bears the platform's mark; otherwise it was adopted.
    pub ours: bool,
    /// Its name, which nothing else of the site has.
    pub name: String,
    /// Its name in DNS.
    pub address: String,
    /// The hosted zone of that name, by id, which an alias to it has to name.
    pub zone: String,
    /// The ARN of the listener that has the rules for apps.
    pub listener: String,
    /// Whether that listener speaks TLS.
    pub tls: bool,
    /// The ARNs of its other listeners that send everybody there of whom no rule of theirs says otherwise.
    pub others: Vec<String>,
    /// The network that its targets are in.
    pub network: String,
}

/// A group as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What calls speak of.
    pub arn: String,
    /// What it is called.
    pub name: String,
    /// Whose it is, as its mark says; none if that cannot be read.
    pub app: Option<AppId>,
    /// The balancer that it was made for.
    pub balancer: String,
    /// How its targets are checked.
    pub check: Check,
}

/// How the targets of a group are checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// The path that is asked for; an answer below 500 is a good one.
    pub path: String,
    /// Seconds from one check to the next.
    pub interval: u32,
    /// Seconds that an answer may take.
    pub timeout: u32,
    /// So many good ones in a row make an unhealthy target healthy.
    pub good: u32,
    /// So many bad ones in a row make a healthy target unhealthy.
    pub bad: u32,
    /// Whether the rest is as we set it: the port, the protocol, the answers that count.
    pub plain: bool,
}

/// How a group lets targets go, and whether visitors stay with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manners {
    /// Seconds that a target has to finish.
    pub drain_seconds: u32,
    /// Visitors stay with the target that they came to.
    pub sticky: bool,
}

/// A group to be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewGroup {
    /// What it is to be called.
    pub name: String,
    /// Whose it is.
    pub app: AppId,
    /// The balancer that it is for.
    pub balancer: String,
    /// The network that its targets are in.
    pub network: String,
    /// How its targets are checked.
    pub check: Check,
}

/// A rule as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What calls speak of.
    pub arn: String,
    /// Its number: of two that match the lower one counts.
    pub priority: u32,
    /// The names that it is about, if it asks for nothing else.
    pub hosts: BTreeSet<Hostname>,
    /// The ARN of the group that it leads to, or [`CLOSED`](model::entrance::CLOSED), if it does nothing else.
    pub group: Option<String>,
    /// It bears the platform's mark.
    pub ours: bool,
}

/// Where a rule leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leads {
    /// The names that it is about.
    pub hosts: BTreeSet<Hostname>,
    /// The ARN of the group, or [`CLOSED`](model::entrance::CLOSED).
    pub group: String,
}

/// A call came to nothing, or nobody knows what it came to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Refused {
    /// What was said about it.
    pub says: String,
    /// Something that the call speaks of is not known, such as one of many targets.
    pub unknown: bool,
    /// It was not done, and would not be if it were asked for again just now. That says nothing of anything else.
    pub clear: bool,
}

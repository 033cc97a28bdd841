//! Decides how visitors get from shared load balancers (ALBs) to the replicas of each app: which balancer has which app, by
//! which rules, which replicas are its targets, and which records in DNS lead there. Nothing here does it.
//!
//! An app's web formation is one target group, whose targets are pairs of instance and port. A replica is registered when its
//! agent finds it healthy, serves when the balancer finds so too, and is stopped only when the balancer has let it go.

mod balancers;
mod health;
mod name;
mod records;
mod rules;
mod targets;

#[cfg(test)]
mod rollout_properties;

pub use balancers::{Balancer, Front, Limits, Place, Sharding, shard};
pub use health::{TargetHealth, has_failed_open, is_drained, serves};
pub use name::group_name;
pub use records::{ObservedRecords, RecordChanges, RecordsWish, is_in, record_changes, records_wish};
pub use rules::{CLOSED, ObservedRule, RuleChange, rule_changes, rules_needed};
pub use targets::{BATCH, Target, TargetChanges, register_wish, target_changes};

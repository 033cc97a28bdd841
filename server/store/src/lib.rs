//! Every SQL statement of the platform, in a file per table. The caller owns the transaction; nothing here decides
//! what should happen, only that what is written fits together.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod activities;
mod admin;
mod apps;
mod builds;
mod collaborators;
mod connection;
mod database_url;
mod desired;
mod domains;
mod error;
mod formation;
mod hosts;
mod join_tokens;
mod keeping;
mod leadership;
mod leases;
mod meta;
mod metrics;
mod operation_list;
mod operations;
mod overview;
mod pins;
mod postgres;
#[cfg(test)]
mod query_plans;
mod releases;
mod replicas;
mod row;
mod sessions;
mod slugs;
mod tokens;
mod users;
mod vault;
mod watches;

pub use activities::*;
pub use admin::*;
pub use apps::*;
pub use builds::*;
pub use collaborators::*;
pub use connection::*;
pub use database_url::*;
pub use desired::*;
pub use domains::*;
pub use error::*;
pub use formation::*;
pub use hosts::*;
pub use join_tokens::*;
pub use keeping::*;
pub use leadership::*;
pub use leases::*;
pub use meta::*;
pub use metrics::*;
pub use operation_list::*;
pub use operations::*;
pub use overview::*;
pub use pins::*;
pub use postgres::News;
pub use releases::*;
pub use replicas::*;
pub use sessions::*;
pub use slugs::*;
pub use tokens::*;
pub use users::*;
pub use vault::*;
pub use watches::*;

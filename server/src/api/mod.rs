//! The HTTP API: the Heroku Platform API v3, and what Heroku lacks under names of our own. Handlers read the store, or
//! record a wish and answer; they act on nothing themselves.

mod account;
mod activity;
mod answer;
mod apps;
mod authorizations;
mod builds;
mod call;
mod capability;
mod collaborators;
mod collection;
mod config_vars;
mod cost;
mod dispatch;
mod domains;
mod dyno_commands;
mod dynos;
mod error;
mod fields;
mod fleet;
mod formation;
#[cfg(fuzzing)]
pub mod fuzzing;
mod host_commands;
mod host_use;
mod hosts;
mod instances;
pub(crate) mod intake;
mod log_sessions;
mod log_stream;
mod metrics;
mod operations;
mod paging;
mod pins;
mod platform;
mod prometheus;
mod reference;
mod release_diff;
mod releases;
mod reply;
mod route;
mod routes;
mod settings;
mod slugs;
pub mod sources;
mod users;

use std::sync::Arc;

use crate::platform::Platform as State;

pub use error::ApiError;
pub use route::{Needs, Route};
pub use routes::routes;
pub use sources::forget_old;

/// Returns the API as a service; unknown paths and wrong methods are answered in JSON too.
pub fn router(platform: Arc<State>) -> axum::Router {
    dispatch::router(platform, routes())
}

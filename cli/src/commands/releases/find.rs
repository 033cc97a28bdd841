//! Finds the release that a command is about.

use model::name::AppName;
use model::release::Version;
use serde_json::Value;

use crate::api::Api;
use crate::error::{Error, Result};

/// Returns the release with this number, or the newest, as the API shows it.
///
/// # Errors
/// There is none.
pub(super) fn find(api: &Api, app: &AppName, version: Option<Version>) -> Result<Value> {
    let Some(version) = version else {
        let newest = api.newest(&format!("/apps/{app}/releases"), "version", 1)?;
        let none =
            || Error::failed(format!("{app} has no release yet")).hint("`git push paas main` makes one.");
        return newest.get(0).cloned().ok_or_else(none);
    };
    api.get(&format!("/apps/{app}/releases/{}", version.0)).map_err(|error| match error.not_found() {
        Some("release") => Error::failed(format!("{app} has no release {version}"))
            .hint(format!("`paasctl releases -a {app}` lists its releases.")),
        _ => error,
    })
}

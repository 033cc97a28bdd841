//! What the builds of an app make a slug of: its source with buildpacks, or the container image of its Dockerfile.

pub(crate) mod set;
pub(crate) mod show;

use model::name::AppName;
use serde_json::json;

use crate::api::app::App;
use crate::api::{Api, read};
use crate::error::Result;

/// The stack of container images.
pub(crate) const CONTAINER: &str = model::stack::CONTAINER;

/// Sets the stack that the next build is for, and returns its name.
///
/// # Errors
/// There is none of this name, or nothing there that builds it.
pub(crate) fn replace(api: &Api, app: &AppName, stack: &str) -> Result<String> {
    let body = api.patch(&format!("/apps/{app}"), &json!({ "build_stack": stack }))?.body;
    Ok(read::<App>(&body)?.build_stack.map(|stack| stack.name).unwrap_or_default())
}

//! Slugs: what a build made.

use serde_json::json;

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::reference::stack_ref;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let missing = || ApiError::not_found("slug");
    let id = call.parameter("slug").parse().map_err(|_| missing())?;
    let slug = store::find_slug(&mut *call.read().await?, id).await?;
    let slug = slug.filter(|slug| slug.app_id == call.app().id).ok_or_else(missing)?;
    Ok(Answer::ok(json!({
        "id": slug.id,
        "digest": slug.digest,
        "checksum": format!("SHA256:{}", slug.digest),
        "size": slug.bytes,
        "bytes": slug.bytes,
        "process_types": slug.manifest.processes,
        "manifest": slug.manifest,
        "stack": stack_ref(&slug.manifest.stack),
        "commit": null,
        "buildpack_provided_description": null,
        "blob": null,
        "created_at": time(slug.created_at),
        "updated_at": time(slug.created_at),
    })))
}

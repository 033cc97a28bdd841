//! What nobody needs any more: looking at what would go, and letting it go now.

use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use crate::collect;

/// Says what a collection would remove, and why.
pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let platform = &call.platform;
    let known = collect::Known {
        reports: platform.facts.reports(),
        images: collect::forgettable_images(platform).await?,
    };
    let preview = collect::preview(&platform.store, &platform.slugs, &platform.options, Some(known)).await?;
    Ok(Answer::ok(serde_json::to_value(preview).map_err(anyhow::Error::from)?))
}

/// Collects, and says what was removed.
pub(super) async fn run(call: Call) -> Result<Answer, ApiError> {
    call.platform.wishes.collect(call.platform.facts.here());
    let freed = collect::collect(&call.platform, true).await?;
    Ok(Answer::ok(json!({
        "slugs": freed.images,
        "bytes": freed.bytes,
        "outputs": freed.outputs,
        "builds": freed.builds,
        "operations": freed.operations,
        "text": freed.to_string(),
    })))
}

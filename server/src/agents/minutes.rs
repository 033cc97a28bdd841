//! A host brings what it measured. Of other apps than those of its replicas nothing is taken.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use fleet::{Minutes, MinutesTaken};
use model::id::AppId;
use store::Host;

use super::refusal::Refusal;
use crate::metrics;
use crate::platform::Platform;

pub(super) async fn take(
    State(platform): State<Arc<Platform>>,
    Extension(host): Extension<Arc<Host>>,
    Json(Minutes { mut minutes }): Json<Minutes>,
) -> Result<Json<MinutesTaken>, Refusal> {
    let replicas = minutes.iter().flat_map(|of| &of.replicas);
    let apps: BTreeSet<AppId> = replicas.map(|replica| replica.app).collect();
    let refused = platform.agents.trust.refused(&platform, &host, apps).await?;
    for of in &mut minutes {
        of.replicas.retain(|replica| !refused.contains(&replica.app));
    }
    metrics::take(&platform, host.id, &minutes).await?;
    Ok(Json(MinutesTaken { upto: minutes.last().map_or(0, |of| of.minute) }))
}

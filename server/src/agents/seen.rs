//! Notes now and then when each host was last heard of, for all at once: what is newer is in memory.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::debug;

use crate::platform::Platform;

/// How old the note may get.
const PERIOD: Duration = Duration::from_secs(60);

/// Notes it for ever. A failure costs no more than the note.
pub(super) async fn note(platform: Arc<Platform>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = note_all(&platform).await {
            debug!(error = format!("{error:#}"), "it was not noted when hosts were heard of");
        }
    }
}

async fn note_all(platform: &Platform) -> anyhow::Result<()> {
    let (now, here) = (Timestamp::now(), platform.facts.here());
    let reports = platform.facts.reports();
    let lately = reports.heard().filter(|(host, heard)| *host != here && heard.at.elapsed() < PERIOD);
    let lately: Vec<_> =
        lately.filter_map(|(host, heard)| Some((host, now.checked_sub(heard.at.elapsed()).ok()?))).collect();
    if lately.is_empty() {
        return Ok(());
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    for (host, at) in lately {
        store::touch_host(&mut tx, host, at).await?;
    }
    Ok(tx.commit().await?)
}

//! A server that starts knows nothing of other hosts; it hears of them within moments, before it lets visitors in.

use std::time::Duration;

use store::HostState;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::platform::Platform;

/// How long hosts that are there may take to call. Visitors wait in the system's queue.
const CALL: Duration = Duration::from_secs(4);

/// Waits until all hosts have been heard of, or those that were not are taken for silent.
///
/// # Errors
/// A database that fails.
pub(crate) async fn wait_for_hosts(platform: &Platform) -> anyhow::Result<()> {
    let hosts = store::list_hosts(&mut *platform.store.read().await?).await?;
    let replicas = store::list_all_replicas(&mut *platform.store.read().await?).await?;
    let mut awaited = hosts;
    awaited.retain(|host| {
        let has_replicas = replicas.iter().any(|replica| replica.host_id == host.id);
        !host.is_embedded() && host.state != HostState::Lost && has_replicas
    });
    let mut news = platform.facts.news();
    let deadline = Instant::now() + CALL;
    loop {
        let heard = platform.facts.reports();
        awaited.retain(|host| heard.of(host.id).is_none());
        if awaited.is_empty() {
            return Ok(());
        }
        if timeout_at(deadline, news.next()).await.is_err() {
            let names: Vec<_> = awaited.iter().map(|host| host.name.as_str()).collect();
            warn!("nothing was heard yet of {}", names.join(", "));
            return Ok(());
        }
    }
}

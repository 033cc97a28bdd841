//! Tells pages that something changed, as server-sent events that say no more: a page then asks for itself again and
//! shows what differs. What it may see is decided there.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};

use super::page::Visitor;

/// Changes that come together are told together, since each lets pages be rendered.
const PAUSE: Duration = Duration::from_millis(250);

/// A page is told this often at least: what is observed changes without a signal.
const PERIOD: Duration = Duration::from_secs(5);

pub(super) async fn changes(visitor: Visitor) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let platform = visitor.dashboard.platform.clone();
    let stop = platform.signals.stop.clone();
    let told = stream::unfold(platform.changes(), move |mut changes| {
        let stop = stop.clone();
        async move {
            let change = async {
                tokio::time::sleep(PAUSE).await;
                let _ = tokio::time::timeout(PERIOD, changes.signalled()).await;
            };
            // The browser comes again, to the next server.
            stop.run_until_cancelled(change).await?;
            Some((Ok(Event::default().event("change").data("look again")), changes))
        }
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

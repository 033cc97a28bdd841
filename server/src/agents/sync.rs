//! A host says what is new there and hears what is new for it. That it calls at all is its heartbeat.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use fleet::{Sync, Synced};
use store::Host;
use tokio::time::{Instant, timeout_at};

use super::admission::Caller;
use super::join::facts;
use super::refusal::Refusal;
use crate::platform::Platform;

/// The longest that an answer waits for news.
const HOLD_MAX: Duration = Duration::from_secs(10);

pub(super) async fn sync(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    Extension(host): Extension<Arc<Host>>,
    Json(mut sync): Json<Sync>,
) -> Result<Json<Synced>, Refusal> {
    note(&platform, &host, &caller, &mut sync).await;
    // On the line of reports nothing is told of the cloud.
    if sync.report.is_none() && platform.facts.notices.take(host.id, sync.told) {
        match platform.facts.notices.of(host.id) {
            Some(told) => tracing::warn!(host.id = %host.id, "host {}: {told}", host.name),
            None => {
                tracing::info!(host.id = %host.id, "host {}: it says nothing of maintenance any more", host.name)
            }
        }
        platform.wished();
    }
    let report = sync.report.take().map(|mut report| {
        report.replicas.sort_by_key(|status| status.id);
        (sync.report_number, report)
    });
    let report_number = platform.facts.hear(host.id, report);
    // Who has something to say must not wait for the answer before it says the next thing.
    let hold = if report_number.is_none() { Duration::ZERO } else { Duration::from_millis(sync.hold_ms) };
    let mut synced = Synced { report_number, drill: host.drill, ..Synced::default() };
    let mut told = platform.wishes.of(host.id);
    let deadline = Instant::now() + hold.min(HOLD_MAX);
    let stop = platform.signals.stop.clone();
    loop {
        let (desired, doubted) = {
            let told = told.borrow_and_update();
            (told.desired.clone(), !told.doubted.is_empty())
        };
        synced.desired = desired.filter(|desired| desired.order() > sync.has).map(|d| (*d).clone());
        if doubted {
            synced.doubted = platform.wishes.take_doubted(host.id).into_iter().collect();
        }
        if synced.desired.is_some() || !synced.doubted.is_empty() {
            return Ok(Json(synced));
        }
        tokio::select! {
            changed = timeout_at(deadline, told.changed()) => match changed {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Json(synced)),
            },
            () = stop.cancelled() => return Ok(Json(synced)),
        }
    }
}

/// Notes what a host says of itself if it is new. A failure costs no more than the note.
async fn note(platform: &Platform, host: &Host, caller: &Caller, sync: &mut Sync) {
    let about = sync.about.take().map(|about| facts(about, caller.from));
    let Some(about) = about.filter(|facts| *facts != host.facts) else { return };
    let noted = async {
        let mut tx = platform.store.write().await?;
        store::set_host_facts(&mut tx, host.id, &about).await?;
        anyhow::Ok(tx.commit().await?)
    };
    if let Err(error) = noted.await {
        tracing::debug!(error = format!("{error:#}"), host.id = %host.id, "it was not noted what a host says of itself");
    }
    platform.signals.reconcile.notify_one();
}

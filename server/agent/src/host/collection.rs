//! What the engine has on this host and nobody needs: told of when it is seen, removed when it is seen once more.

use std::sync::Arc;

use jiff::Timestamp;
use model::keep::{Belonging, HostUse, TOLD};

use super::{Event, Host};

impl Host {
    /// Has the engine tidy up and say what it has.
    pub(super) fn look_at_belongings(&self) {
        let engine = Arc::clone(&self.parts.engine);
        self.spawn(async move |events| {
            engine.tidy().await;
            let _ = events.send(Event::Belongs(engine.belongings().await)).await;
        });
    }

    /// Notes what nobody needs of it, and has removed what was noted before.
    pub(super) fn note_belongings(&mut self, belongings: Vec<Belonging>) {
        let apps = self.replicas.values().filter_map(|replica| Some(replica.spec.as_ref()?.app));
        let host = HostUse { replicas: self.replicas.keys().copied().collect(), apps: apps.collect() };
        let (now, before) = (Timestamp::now(), std::mem::take(&mut self.garbage));
        for belonging in belongings {
            let Some(garbage) = belonging.unneeded(&host, now) else { continue };
            if before.contains(&garbage) {
                let engine = Arc::clone(&self.parts.engine);
                self.spawn(async move |_| match engine.discard(&belonging).await {
                    Ok(()) => tracing::info!("removed the {} {}: {}", garbage.kind, garbage.id, garbage.why),
                    Err(error) => tracing::warn!(
                        error = format!("{error:#}"),
                        "the {} {} stays for now",
                        garbage.kind,
                        garbage.id
                    ),
                });
            } else if self.garbage.len() < TOLD {
                self.garbage.push(garbage);
            }
        }
    }
}

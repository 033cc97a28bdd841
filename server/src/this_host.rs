//! Brings the wishes for this machine to the agent in this process; other hosts fetch theirs.

use std::sync::Arc;

use agent::Agent;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::platform::Platform;

/// Passes on until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, agent: Arc<Agent>, stop: CancellationToken) {
    let here = platform.facts.here();
    let mut told = platform.wishes.of(here);
    let (mut drills, mut collections) = (0, 0);
    let passing = async {
        loop {
            let (desired, begun, collected) = {
                let told = told.borrow_and_update();
                (told.desired.clone(), told.drills, told.collections)
            };
            if let Some(desired) = desired {
                agent.set_desired((*desired).clone());
            }
            if begun > drills {
                drills = begun;
                warn!("a drill: all replicas of this host are killed");
                agent.drill();
            }
            if collected > collections {
                collections = collected;
                agent.collect();
            }
            let doubted = platform.wishes.take_doubted(here);
            if !doubted.is_empty() {
                agent.doubt(doubted.into_iter().collect());
            }
            if told.changed().await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(passing).await;
}

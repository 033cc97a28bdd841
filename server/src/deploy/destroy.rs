//! Destroying an app: its name is free at once, its replicas end, its files are swept away after them.

use fail_point::Step;
use store::App;

use super::change::ChangeError;
use crate::actor::Actor;
use crate::platform::Platform;

/// Destroys the app.
///
/// # Errors
/// A database that fails.
pub async fn destroy_app(platform: &Platform, actor: &Actor, app: &App) -> Result<(), ChangeError> {
    let mut tx = platform.store.write().await?;
    store::delete_app(&mut tx, app.id).await?;
    tx.commit().await?;
    fail_point::reach(Step::AppDestroyed);
    tracing::info!(app.name = %app.name, user = %actor.email, "app destroyed");
    platform.builds.cancel_of(app.id);
    platform.wished();
    platform.signals.sweep.notify_one();
    Ok(())
}

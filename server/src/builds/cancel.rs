//! Cancelling a build: at once if it waits, within moments if it runs.

use model::id::BuildId;
use store::App;

use crate::actor::Actor;
use crate::deploy::ChangeError;
use crate::platform::Platform;

/// Cancels a build of the app.
///
/// # Errors
/// A build that has ended already.
pub async fn cancel_build(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    id: BuildId,
) -> Result<(), ChangeError> {
    let mut tx = platform.store.write().await?;
    let reason = format!("cancelled by {}", actor.email);
    if !store::request_build_cancel(&mut tx, id, &reason).await? {
        let built = store::find_build(&mut tx, id).await?.and_then(|build| build.release);
        let active = store::active_operation(&mut tx, app.id).await?.map(|operation| operation.version);
        let hint = match built.filter(|version| active == Some(*version)) {
            Some(version) => {
                format!(
                    "{version} is being rolled out: `paasctl releases:cancel -a {}` cancels that",
                    app.name
                )
            }
            None => "`paasctl builds` shows how".to_owned(),
        };
        return Err(ChangeError::Invalid {
            message: "the build has already ended".to_owned(),
            hint: Some(hint),
        });
    }
    tx.commit().await?;
    platform.builds.cancel(id);
    platform.logs.event(app.id, "api", None, format!("Build {reason}"));
    platform.changed();
    Ok(())
}

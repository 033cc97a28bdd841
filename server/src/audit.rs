//! The audit trail as requests write it: a row before the change, so that no crash can leave a change without one,
//! completed afterwards with what was changed. Names are noted, values never.

use model::id::{ActivityId, AppId};
use serde_json::{Map, Value};
use store::{NewActivity, Store};

use crate::actor::Actor;

/// What a change was done to.
pub type Subject = Option<(AppId, String)>;

/// Notes that somebody is about to change something. Returns the row, to be completed or withdrawn.
///
/// # Errors
/// A database that fails: then nothing may be changed.
pub async fn begin(
    store: &Store,
    actor: &Actor,
    action: &str,
    subject: Subject,
) -> Result<ActivityId, store::Error> {
    let activity = NewActivity {
        user: Some((actor.user, actor.email.clone())),
        token: actor.token.clone(),
        action: action.to_owned(),
        app: subject,
        detail: Map::from_iter([("outcome".to_owned(), Value::from("unknown"))]),
        remote: actor.remote.clone(),
    };
    let mut tx = store.write().await?;
    let id = store::create_activity(&mut tx, activity).await?;
    tx.commit().await?;
    Ok(id)
}

/// Completes the row of a change that was made.
///
/// # Errors
/// A database that fails.
pub async fn complete(
    store: &Store,
    id: ActivityId,
    subject: Subject,
    detail: &Map<String, Value>,
) -> Result<(), store::Error> {
    let mut tx = store.write().await?;
    store::complete_activity(&mut tx, id, subject, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Withdraws the row of a change that was refused: nothing was changed.
///
/// # Errors
/// A database that fails.
pub async fn withdraw(store: &Store, id: ActivityId) -> Result<(), store::Error> {
    let mut tx = store.write().await?;
    store::delete_activity(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

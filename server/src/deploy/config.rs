//! Changed config vars: one release for all changes of a request, none when nothing changes.

use fail_point::Step;
use model::config::{ConfigValue, ConfigVars};
use model::name::ConfigKey;
use store::{App, Db, NewRelease, OperationKind, Release, ReleaseKind};

use super::change::{ChangeError, Made, begin};
use crate::actor::Actor;
use crate::platform::Platform;

/// Sets and removes (`None`) config vars. Returns the whole result, and the release unless nothing changed.
///
/// # Errors
/// A value that no environment can carry, or a database that fails.
pub async fn change_config(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    changes: Vec<(ConfigKey, Option<ConfigValue>)>,
) -> Result<(ConfigVars, Option<Made>), ChangeError> {
    let mut tx = platform.store.write().await?;
    let base = store::newest_release_that_counts(&mut tx, app.id).await?;
    let before = match &base {
        Some(release) => release_config(platform, &mut tx, release).await?,
        None => ConfigVars::default(),
    };
    let after =
        before.changed(changes).map_err(|error| ChangeError::invalid(error.to_string(), error.hint()))?;
    if before == after {
        return Ok((after, None));
    }
    let new = NewRelease {
        app: app.id,
        kind: ReleaseKind::Config,
        description: description(&before, &after),
        user: actor.user,
        slug: base.as_ref().and_then(|release| release.slug.as_ref()).map(|slug| slug.id),
        config: &after,
        commit: base.as_ref().and_then(|release| release.commit.clone()),
        build: base.as_ref().and_then(|release| release.build_id),
        rollback_of: None,
    };
    let release = store::create_release(&mut tx, &platform.vault, new).await?;
    let made = begin(&mut tx, app, release, OperationKind::Config, actor).await?;
    tx.commit().await?;
    fail_point::reach(Step::ConfigChanged);
    platform.logs.event(app.id, "api", Some(made.release.version), announcement(&made, actor));
    platform.wished();
    Ok((after, Some(made)))
}

/// Opens the config vars of a release.
///
/// # Errors
/// Config vars that cannot be opened, with the number of the release; a database that fails.
pub async fn release_config(
    platform: &Platform,
    db: &mut Db,
    release: &Release,
) -> Result<ConfigVars, ChangeError> {
    store::release_config(db, &platform.vault, release.id).await.map_err(|error| match error {
        store::Error::Vault(_) | store::Error::Damaged { .. } => {
            let message = format!("the config vars of {} cannot be read: {error}", release.version);
            tracing::error!(release.id = %release.id, "{message}");
            ChangeError::invalid(
                message,
                "bring back the secret key and the database that belong together, or go back to another release \
                 with `paasctl rollback`",
            )
        }
        other => other.into(),
    })
}

/// Returns the line of the app's log that tells of a new release.
pub(super) fn announcement(made: &Made, actor: &Actor) -> String {
    format!("Release {} created by {}: {}", made.release.version, actor.email, made.release.description)
}

/// Names the vars as Heroku does, values never.
fn description(before: &ConfigVars, after: &ConfigVars) -> String {
    let difference = before.difference(after);
    let names = |keys: &[&ConfigKey]| keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
    let set: Vec<&ConfigKey> = difference.added.iter().chain(&difference.changed).copied().collect();
    let noun = |keys: &[&ConfigKey]| if keys.len() == 1 { "config var" } else { "config vars" };
    let mut parts = Vec::new();
    if !set.is_empty() {
        parts.push(format!("Set {} {}", names(&set), noun(&set)));
    }
    if !difference.removed.is_empty() {
        parts.push(format!("Remove {} {}", names(&difference.removed), noun(&difference.removed)));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_vars_and_never_values() {
        let key = |text: &str| text.parse::<ConfigKey>().unwrap();
        let before = ConfigVars::default().changed([(key("OLD"), Some("secret1".into()))]).unwrap();
        let after = before
            .changed([(key("OLD"), None), (key("A"), Some("secret2".into())), (key("B"), Some("x".into()))])
            .unwrap();
        assert_eq!(description(&before, &after), "Set A, B config vars; Remove OLD config var");
    }
}

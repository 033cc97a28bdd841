//! Follows an operation of an app until it has ended, telling its steps as they happen.

use std::time::Duration;

use model::name::AppName;
use model::release::Version;
use model::wording;

use crate::api::operation::{Operation, OperationState};
use crate::api::{Api, read, segment};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::screen::Screen;
use crate::wait;

/// Longer than any rollout may take: the server's own deadline ends it first.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// What happens when a newer operation takes the place of the one we follow.
pub(crate) enum Superseded<'a> {
    /// The newer one includes what was asked, whatever it is: follow it.
    Follow,
    /// Follow it if its release holds what was asked, which this tells.
    FollowIf(&'a dyn Fn(Version) -> Result<bool>),
    /// What was asked will not be.
    Fail,
}

/// Follows the operation to its end and says how long it took.
///
/// # Errors
/// It failed, was cancelled or was superseded, or the server cannot be asked any more.
pub(crate) fn follow(
    screen: &Screen,
    api: &Api,
    app: &AppName,
    operation: &str,
    superseded: Superseded<'_>,
) -> Result<()> {
    let start = screen.now();
    interrupt::leave_with(screen, format!("Still going on; `paasctl ps -a {app}` shows how far it is."));
    let mut id = operation.to_owned();
    loop {
        let ended = until_ended(screen, api, app, &id)?;
        match (ended.state, &ended.superseded_by) {
            (OperationState::Superseded, Some(next)) if !matches!(superseded, Superseded::Fail) => {
                let (newer, includes) = asked_again(screen, || {
                    let newer = operation_of(api, app, next)?;
                    let includes = match (&superseded, version_of(&newer)) {
                        (Superseded::FollowIf(holds), Some(version)) => holds(version)?,
                        _ => true,
                    };
                    Ok((newer, includes))
                })?;
                if !includes {
                    return Err(lost(&subject(&ended), &newer, app));
                }
                screen.say(&format!("  {} took over and includes this change.", newest(&newer)));
                id.clone_from(next);
            }
            (OperationState::Succeeded, _) => break,
            _ => return Err(failure(&ended, app)),
        }
    }
    screen.say(&format!("Done in {}.", wording::duration(screen.now().duration_since(start))));
    Ok(())
}

fn until_ended(screen: &Screen, api: &Api, app: &AppName, id: &str) -> Result<Operation> {
    let mut told = 0;
    let ended = wait::until(screen, LIMIT, || {
        let operation = operation_of(api, app, id)?;
        for step in operation.steps.iter().skip(told) {
            screen.say(&format!("  {}", wording::plain(&step.text, 500)));
        }
        told = told.max(operation.steps.len());
        Ok((operation.state != OperationState::Active).then_some(operation))
    })?;
    ended.ok_or_else(|| Error::failed("the server did not end the operation in two hours"))
}

/// Asks, and again while the server is silent for a while.
fn asked_again<T>(screen: &Screen, ask: impl Fn() -> Result<T>) -> Result<T> {
    let answer = wait::until(screen, LIMIT, || ask().map(Some))?;
    answer.ok_or_else(|| Error::failed("the server does not answer"))
}

fn operation_of(api: &Api, app: &AppName, id: &str) -> Result<Operation> {
    read(&api.get(&format!("/apps/{app}/operations/{}", segment(id)))?)
}

fn version_of(operation: &Operation) -> Option<Version> {
    operation.release.as_ref().and_then(|release| release.version)
}

fn subject(operation: &Operation) -> String {
    version_of(operation).map_or_else(|| "the change".to_owned(), |version| version.to_string())
}

/// Returns what took over, such as `v43, a rollback,`.
fn newest(newer: &Operation) -> String {
    let version =
        version_of(newer).map_or_else(|| "A newer change".to_owned(), |version| version.to_string());
    match newer.kind.as_deref() {
        Some(kind @ ("rollback" | "deploy" | "restart")) => format!("{version}, a {kind},"),
        Some("config") => format!("{version}, a change of config,"),
        _ => version,
    }
}

fn lost(subject: &str, newer: &Operation, app: &AppName) -> Error {
    let message = format!("{} took the place of {subject} and does not include this change", newest(newer));
    Error::failed(message).hint(format!(
        "{subject} never served. If the change is still wanted, run the command again; `paasctl releases -a {app}` \
         shows what happened."
    ))
}

fn failure(ended: &Operation, app: &AppName) -> Error {
    let (version, subject) = (version_of(ended), subject(ended));
    let message = match (ended.state, &ended.reason) {
        (OperationState::Superseded, _) => {
            format!("a newer release took the place of {subject} before it served")
        }
        (OperationState::Cancelled, _) => format!("{subject} was cancelled"),
        (_, Some(reason)) => format!("{subject} failed: {reason}"),
        (_, None) => format!("{subject} failed"),
    };
    let log = format!("`paasctl logs -a {app}` shows what it said");
    let hint = match (ended.state, version) {
        (OperationState::Failed, Some(Version(1))) => format!("{log}."),
        (OperationState::Failed, _) => format!("What served before goes on serving. {log}."),
        _ => format!("`paasctl releases -a {app}` shows what serves now."),
    };
    Error::failed(message).hint(hint)
}

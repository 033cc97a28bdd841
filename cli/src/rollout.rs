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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Superseded {
    /// The newer one includes what was asked: follow it.
    Follow,
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
    superseded: Superseded,
) -> Result<()> {
    let start = screen.now();
    interrupt::leave_with(screen, format!("Still going on; `paasctl ps -a {app}` shows how far it is."));
    let mut id = operation.to_owned();
    loop {
        let ended = until_ended(screen, api, app, &id)?;
        let next = ended.superseded_by.clone().filter(|_| superseded == Superseded::Follow);
        match (ended.state, next) {
            (OperationState::Superseded, Some(next)) => {
                screen.say("  A newer change took over and includes this one.");
                id = next;
            }
            (OperationState::Succeeded, _) => break,
            _ => return Err(failure(&ended, app)),
        }
    }
    screen.say(&format!("Done in {}.", wording::duration(screen.now().duration_since(start))));
    Ok(())
}

fn until_ended(screen: &Screen, api: &Api, app: &AppName, id: &str) -> Result<Operation> {
    let path = format!("/apps/{app}/operations/{}", segment(id));
    let mut told = 0;
    let ended = wait::until(screen, LIMIT, || {
        let operation: Operation = read(&api.get(&path)?)?;
        for step in operation.steps.iter().skip(told) {
            screen.say(&format!("  {}", wording::plain(&step.text, 500)));
        }
        told = told.max(operation.steps.len());
        Ok((operation.state != OperationState::Active).then_some(operation))
    })?;
    ended.ok_or_else(|| Error::failed("the server did not end the operation in two hours"))
}

fn failure(ended: &Operation, app: &AppName) -> Error {
    let version = ended.release.as_ref().and_then(|release| release.version);
    let subject = version.map_or_else(|| "the change".to_owned(), |version| version.to_string());
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

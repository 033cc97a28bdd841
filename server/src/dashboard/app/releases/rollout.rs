//! A rollout as it happens: its steps, and ending it before its time.

use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use model::release::Version;
use model::wording;
use serde::Deserialize;
use serde_json::json;

use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Submitted, Visitor};

/// Longest step that is shown, in characters.
const STEP_MAX: usize = 500;

#[derive(Deserialize)]
struct OperationJson {
    id: String,
    kind: String,
    state: String,
    release: VersionJson,
    #[serde(default)]
    steps: Vec<StepJson>,
    created_at: Timestamp,
    deadline: Timestamp,
    finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct VersionJson {
    version: Version,
}

#[derive(Deserialize)]
struct StepJson {
    at: Timestamp,
    text: String,
}

/// What brings a release about, or did.
pub(super) struct Rollout {
    pub(super) id: String,
    /// Such as `Rolling out`.
    pub(super) what: &'static str,
    pub(super) version: Version,
    /// How long it took, or how long it may take.
    pub(super) time: String,
    pub(super) is_active: bool,
    pub(super) steps: Vec<Step>,
}

pub(super) struct Step {
    /// How long after the beginning.
    pub(super) after: String,
    pub(super) text: String,
}

/// A form with nothing but its mark.
#[derive(Deserialize)]
pub(super) struct Nothing {}

impl Rollout {
    /// Reads an operation of an app.
    pub(super) async fn of(visitor: &Visitor, app: &str, id: &str) -> Result<Self, Refusal> {
        let operation: OperationJson = visitor.get(&["apps", app, "operations", id]).await?;
        Ok(rollout(operation, Timestamp::now()))
    }
}

fn rollout(operation: OperationJson, now: Timestamp) -> Rollout {
    // The API gives times of operations in whole seconds, and those of steps exactly.
    let begun = operation.steps.first().map_or(operation.created_at, |step| step.at);
    let ended = operation.finished_at.map(|end| operation.steps.last().map_or(end, |step| step.at));
    let is_active = operation.state == "active";
    let took = |end: Timestamp| wording::duration(end.duration_since(begun));
    let time = match ended {
        Some(end) => format!("took {}", took(end)),
        None => {
            let left = wording::duration(operation.deadline.duration_since(now));
            format!("for {}; it ends in {left} at the latest", took(now))
        }
    };
    let step = |step: StepJson| Step { after: took(step.at), text: wording::plain(&step.text, STEP_MAX) };
    Rollout {
        id: operation.id,
        what: if operation.kind == "restart" { "Restarting" } else { "Rolling out" },
        version: operation.release.version,
        time,
        is_active,
        steps: operation.steps.into_iter().map(step).collect(),
    }
}

pub(super) async fn cancel(
    Path((app, operation)): Path<(String, String)>,
    Submitted(visitor, Nothing {}): Submitted<Nothing>,
) -> Response {
    let path = ["apps", &app, "operations", &operation, "actions", "cancel"];
    let cancelled = visitor.send(Method::POST, &path, &json!({})).await;
    let said = "Cancelled; what served before goes on serving.".to_owned();
    visitor.done(&format!("/apps/{app}/releases"), cancelled.map(|_| said))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_rollout_tells_how_long_it_takes() {
        let operation = |finished: Option<&str>| {
            let value = json!({
                "id": "x", "kind": "deploy", "state": if finished.is_some() { "succeeded" } else { "active" },
                "release": { "version": 3 }, "created_at": "2026-01-02T03:04:05Z", "deadline": "2026-01-02T03:09:05Z",
                "finished_at": finished, "steps": [{ "at": "2026-01-02T03:04:05.200Z", "text": "web.1 starting" }, { "at": "2026-01-02T03:04:07.500Z", "text": "web.1\u{7} is healthy" }],
            });
            serde_json::from_value::<OperationJson>(value).unwrap()
        };
        let begun: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let running = rollout(operation(None), begun + SignedDuration::from_millis(60_200));
        assert_eq!(running.time, "for 60 s; it ends in 3 min at the latest");
        assert_eq!(
            (running.steps[1].after.as_str(), running.steps[1].text.as_str()),
            ("2.3 s", "web.1 is healthy")
        );
        let ended = rollout(operation(Some("2026-01-02T03:04:09Z")), begun);
        assert!(!ended.is_active && ended.time == "took 2.3 s");
    }
}

//! A release as the pages show it.

use jiff::Timestamp;
use model::release::{CommitRef, Version};
use model::wording;
use serde::Deserialize;

use crate::dashboard::words::{self, Moment};

/// A release as the API gives it.
#[derive(Deserialize)]
pub(super) struct ReleaseJson {
    pub(super) version: Version,
    #[serde(default)]
    pub(super) description: String,
    state: String,
    #[serde(default)]
    pub(super) current: bool,
    #[serde(default)]
    eligible_for_rollback: bool,
    pub(super) commit: Option<CommitRef>,
    pub(super) slug: Option<SlugJson>,
    pub(super) build: Option<BuildJson>,
    pub(super) rollback_of: Option<Version>,
    pub(super) reason: Option<String>,
    pub(super) output_stream_url: Option<String>,
    /// What rolls it out, or did.
    pub(super) operation: Option<String>,
    watching_until: Option<Timestamp>,
    reverts_to: Option<Version>,
    user: Person,
    created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct SlugJson {
    pub(super) id: String,
    pub(super) digest: String,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct BuildJson {
    pub(super) id: String,
}

#[derive(Deserialize)]
struct Person {
    email: String,
}

/// A release in words.
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) state: &'static str,
    /// The style of its state.
    pub(super) style: &'static str,
    pub(super) description: String,
    pub(super) commit: Option<CommitRef>,
    pub(super) by: String,
    pub(super) at: Moment,
    /// What went wrong, in a line.
    pub(super) reason: Option<String>,
    /// What helps against that, in lines.
    pub(super) advice: Vec<String>,
    /// Until when it is watched, in words.
    pub(super) watched: Option<String>,
    /// It ran, can run again, and does not serve.
    pub(super) can_come_back: bool,
}

impl Entry {
    pub(super) fn of(release: ReleaseJson) -> Self {
        let (state, style) = state(&release);
        let mut lines = release.reason.iter().flat_map(|reason| reason.lines());
        let reason = lines.next().map(wording::sentence);
        let advice = lines.map(str::to_owned).collect();
        let watch = release.watching_until.zip(release.reverts_to);
        Self {
            version: release.version,
            state,
            style,
            reason,
            advice,
            watched: watch.map(|(until, fallback)| watched(until, Timestamp::now(), fallback)),
            can_come_back: release.eligible_for_rollback && !release.current,
            description: release.description,
            commit: release.commit,
            by: release.user.email,
            at: words::moment(release.created_at),
        }
    }
}

/// Returns the word for where a release stands, and its style.
fn state(release: &ReleaseJson) -> (&'static str, &'static str) {
    match release.state.as_str() {
        "failed" => ("failed", "failed"),
        "pending" => ("rolling out", "pending"),
        "cancelled" => ("cancelled", "cancelled"),
        "expired" => ("superseded", "expired"),
        _ if release.current => ("serves", "succeeded"),
        _ => ("served", "past"),
    }
}

fn watched(until: Timestamp, now: Timestamp, fallback: Version) -> String {
    let left = wording::duration(until.duration_since(now));
    format!("Watched for {left} more: if it fails, {fallback} comes back by itself.")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(more: Value) -> Entry {
        let mut release = json!({
            "version": 42, "description": "Deploy 8f3a2c1d", "state": "succeeded", "user": { "email": "ada@example.org" },
            "created_at": "2026-01-02T03:04:05Z",
        });
        for (name, value) in more.as_object().unwrap() {
            release[name] = value.clone();
        }
        Entry::of(serde_json::from_value(release).unwrap())
    }

    #[test]
    fn a_state_is_what_became_of_the_release() {
        assert_eq!(entry(json!({})).state, "served");
        assert_eq!(entry(json!({ "current": true })).state, "serves");
        assert_eq!(entry(json!({ "current": true, "state": "pending" })).state, "rolling out");
        assert_eq!(entry(json!({ "state": "expired" })).state, "superseded");
    }

    #[test]
    fn what_serves_is_nothing_to_go_back_to() {
        assert!(entry(json!({ "eligible_for_rollback": true })).can_come_back);
        assert!(!entry(json!({ "eligible_for_rollback": true, "current": true })).can_come_back);
        assert!(!entry(json!({ "eligible_for_rollback": false })).can_come_back);
    }

    #[test]
    fn a_reason_is_a_sentence_and_the_lines_after_it_are_advice() {
        let failed = entry(json!({ "state": "failed", "reason": "web.1 crashed\nsee the log\nor not" }));
        assert_eq!(failed.reason.as_deref(), Some("web.1 crashed."));
        assert_eq!(failed.advice, ["see the log", "or not"]);
        let until = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(42);
        let said = watched(until, Timestamp::UNIX_EPOCH, Version(41));
        assert_eq!(said, "Watched for 42 s more: if it fails, v41 comes back by itself.");
    }
}

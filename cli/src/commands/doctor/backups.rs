//! The nightly backups: whether they are made, and how the last one went.

use jiff::{SignedDuration, Timestamp};
use model::wording;

use super::finding::Finding;
use crate::api::platform::Backups;

/// One that is older than this was missed.
const OLD: SignedDuration = SignedDuration::from_hours(36);

/// Returns what is to be said of them.
pub(super) fn finding(backups: &Backups, now: Timestamp) -> Finding {
    let place = &backups.place;
    let Some(last) = &backups.last else {
        return Finding::good("backups", format!("the first one goes to {place} within minutes"));
    };
    let ago = wording::ago(last.at, now);
    if let Some(why) = &last.failure {
        let text = format!("none could be made {ago}: {}", wording::plain(why, 300));
        return Finding::failed("backups", text).hint("It is tried again each hour.");
    }
    let text = format!("{}, {ago}", last.file.as_deref().unwrap_or(place));
    if now.duration_since(last.at) > OLD {
        return Finding::care("backups", format!("the last one is {text}"))
            .hint("One is made each night by the server that leads; its log says what keeps it.");
    }
    match last.warnings.first() {
        Some(warning) => Finding::care("backups", format!("{text}; {}", wording::plain(warning, 300))),
        None => Finding::good("backups", text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use crate::api::platform::Backup;

    #[test]
    fn one_that_failed_or_was_missed_or_lacks_something_is_told() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let found = |at: &str, failure: Option<&str>, warnings: &[&str]| {
            let last = Backup {
                at: at.parse().unwrap(),
                file: Some("s3://b/backups/x".into()),
                warnings: warnings.iter().map(|warning| (*warning).to_owned()).collect(),
                failure: failure.map(str::to_owned),
            };
            finding(&Backups { place: "s3://b/backups".into(), last: Some(last) }, now).state
        };
        assert_eq!(found("2026-11-22T03:31:00Z", None, &[]), State::Good);
        assert_eq!(found("2026-11-22T03:31:00Z", None, &["a slug is damaged"]), State::Care);
        assert_eq!(found("2026-11-20T03:31:00Z", None, &[]), State::Care);
        assert_eq!(found("2026-11-22T03:31:00Z", Some("the disk is full"), &[]), State::Failed);
        assert_eq!(finding(&Backups::default(), now).state, State::Good);
    }
}

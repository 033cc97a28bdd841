//! The nightly backups, as the page of the platform tells them.

use jiff::Timestamp;
use model::wording;
use serde::Deserialize;

use super::words;
use crate::backup::nightly::Last;

/// Where they go, and how the last one went.
#[derive(Deserialize)]
pub(super) struct Backups {
    place: String,
    last: Option<Last>,
}

impl Backups {
    /// Returns when the last one was made and where, in a few words.
    pub(super) fn told(&self, now: Timestamp) -> String {
        match self.last.as_ref().filter(|last| last.file.is_some()) {
            Some(last) => format!("{}, in {}", words::since(last.at, now), self.place),
            None => format!("none yet in {}", self.place),
        }
    }

    /// Returns what somebody should look at, as a sentence.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<String> {
        let last = self.last.as_ref()?;
        let why = match (&last.failure, last.warnings.first()) {
            (Some(why), _) => format!("No backup could be made {}: {why}", words::since(last.at, now)),
            (None, Some(warning)) => format!("The last backup lacks something: {warning}"),
            (None, None) => return None,
        };
        Some(wording::plain(&why, 300))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(last: &Value) -> (String, Option<String>) {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let backups: Backups = serde_json::from_value(json!({ "place": "/mnt/b", "last": last })).unwrap();
        (backups.told(now), backups.trouble(now))
    }

    #[test]
    fn a_good_one_is_told_and_a_bad_one_is_a_sentence() {
        let at = "2026-11-22T03:30:00Z";
        let good = json!({ "at": at, "file": "/mnt/b/paas.tar.zst", "warnings": [], "failure": null });
        let (text, trouble) = told(&good);
        assert!(text.ends_with(" ago, in /mnt/b") && trouble.is_none(), "{text}");
        let bad = json!({ "at": at, "file": null, "warnings": [], "failure": "the disk is full" });
        let (text, trouble) = told(&bad);
        assert_eq!(text, "none yet in /mnt/b");
        assert!(trouble.unwrap().ends_with("the disk is full"));
        let odd = json!({ "at": at, "file": "/mnt/b/x", "warnings": ["a slug is damaged"], "failure": null });
        assert!(told(&odd).1.unwrap().contains("a slug is damaged"));
        assert_eq!(told(&Value::Null), ("none yet in /mnt/b".into(), None));
    }
}

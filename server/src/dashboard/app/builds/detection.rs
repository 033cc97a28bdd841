//! A detection as a tree: what each buildpack looked for, what was there, what follows. The words are those of the build
//! log.

use model::detection::{Attempt, DetectionTrace, Look, VersionChoice};

/// How it was found out what an app is.
pub(super) struct Detection {
    pub(super) attempts: Vec<Attempt>,
    /// The buildpack that builds it.
    pub(super) chosen: Option<String>,
    pub(super) because: String,
    pub(super) hint: Option<String>,
    /// The versions and process types that were chosen, each kind with a title.
    pub(super) origins: Vec<(&'static str, Vec<Origin>)>,
}

/// Something that was chosen, and by what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) origin: String,
}

impl Detection {
    pub(super) fn of(trace: DetectionTrace) -> Self {
        let process = |process: model::detection::ProcessOrigin| Origin {
            name: process.process,
            value: process.command,
            origin: process.origin,
        };
        let attempts = trace.attempts.into_iter().map(found_first);
        let versions: Vec<_> = trace.versions.into_iter().map(version).collect();
        let processes = trace.processes.into_iter().map(process).collect();
        let origins = [("Versions", versions), ("Process types", processes)];
        Self {
            attempts: attempts.collect(),
            chosen: trace.chosen,
            because: trace.because,
            hint: trace.hint,
            origins: origins.into_iter().filter(|(_, origins)| !origins.is_empty()).collect(),
        }
    }
}

/// What was there tells more than what was not.
fn found_first(mut attempt: Attempt) -> Attempt {
    attempt.looked_for.sort_by_key(|Look { found, .. }| !found);
    attempt
}

fn version(choice: VersionChoice) -> Origin {
    let requested = choice.requested.map(|asked| format!(", asked for {asked}")).unwrap_or_default();
    let pinned = if choice.pinned { ", pinned" } else { "" };
    let newer = choice.newer.map(|newer| format!("; `pins:upgrade` would take {newer}")).unwrap_or_default();
    let origin = format!("{}{requested}{pinned}{newer}", choice.origin);
    Origin { name: choice.name, value: choice.version, origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_comes_first_and_a_version_says_who_asked_for_it() {
        let look = |path: &str, found| Look { path: path.to_owned(), found, note: None };
        let looked_for = vec![look("uv.lock", false), look("requirements.txt", true), look("Pipfile", false)];
        let attempt = Attempt {
            buildpack: "python".into(),
            looked_for,
            matched: true,
            therefore: "a Python app".into(),
        };
        let versions = vec![VersionChoice {
            name: "python".into(),
            requested: Some(">=3.11".into()),
            version: "3.12.4".into(),
            origin: ".python-version".into(),
            pinned: true,
            newer: Some("3.12.5".into()),
        }];
        let trace = DetectionTrace { attempts: vec![attempt], versions, ..DetectionTrace::default() };
        let detection = Detection::of(trace);
        let paths: Vec<_> = detection.attempts[0].looked_for.iter().map(|look| look.path.as_str()).collect();
        assert_eq!(paths, ["requirements.txt", "uv.lock", "Pipfile"]);
        let said = ".python-version, asked for >=3.11, pinned; `pins:upgrade` would take 3.12.5";
        assert_eq!(detection.origins[0].1[0].origin, said);
    }
}

//! What lies between two releases: read for any page, and a page to choose the two.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use model::release::{CommitRef, Version};
use model::wording;
use serde::Deserialize;

use super::{TAB, listed};
use crate::dashboard::app::AppHead;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Visitor};

/// Releases that can be chosen.
const CHOICES: usize = 200;

/// Most commits, and most files, that a page shows.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "app/difference.html")]
struct DifferencePage {
    frame: Frame,
    head: AppHead,
    choices: Vec<Choice>,
    from: u64,
    to: u64,
    difference: Option<Difference>,
}

/// A release that can be chosen.
struct Choice {
    version: u64,
    text: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct DifferenceJson {
    commits: Vec<CommitRef>,
    files: Vec<FileJson>,
    more_commits: usize,
    more_files: usize,
    dropped_commits: usize,
    packages: Vec<ChangeJson>,
    versions: Vec<ChangeJson>,
    processes: Vec<ChangeJson>,
    config: ConfigJson,
}

#[derive(Deserialize)]
struct FileJson {
    path: String,
    status: String,
    added: Option<u64>,
    removed: Option<u64>,
}

#[derive(Deserialize)]
struct ChangeJson {
    #[serde(alias = "type")]
    name: String,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
struct ConfigJson {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

/// What differs between two releases, in words.
pub(super) struct Difference {
    pub(super) from: Version,
    pub(super) to: Version,
    pub(super) commits: Commits,
    /// Commits of the first that are not in the second.
    pub(super) dropped: Commits,
    pub(super) files: Vec<FileLine>,
    pub(super) more_files: usize,
    /// Packages, runtimes and process types, each with a title.
    pub(super) tables: Vec<(&'static str, Vec<Change>)>,
    /// How a config var differs, and its name.
    pub(super) config: Vec<(&'static str, String)>,
}

#[derive(Default)]
pub(super) struct Commits {
    pub(super) shown: Vec<CommitRef>,
    pub(super) more: usize,
}

pub(super) struct FileLine {
    pub(super) path: String,
    pub(super) status: String,
    pub(super) lines: String,
}

pub(super) struct Change {
    pub(super) name: String,
    /// `new`, `gone` or `changed`.
    pub(super) how: &'static str,
    pub(super) from: String,
    pub(super) to: String,
}

impl Difference {
    /// Reads what differs.
    pub(super) async fn between(
        visitor: &Visitor,
        app: &str,
        from: Version,
        to: Version,
    ) -> Result<Self, Refusal> {
        let (older, newer) = (from.0.to_string(), to.0.to_string());
        let there: DifferenceJson = visitor.get(&["apps", app, "releases", &older, "diff", &newer]).await?;
        let dropped = match there.dropped_commits {
            0 => Commits::default(),
            _ => {
                let back: DifferenceJson =
                    visitor.get(&["apps", app, "releases", &newer, "diff", &older]).await?;
                Commits::of(back.commits, back.more_commits)
            }
        };
        Ok(Self::of(from, to, there, dropped))
    }

    fn of(from: Version, to: Version, mut there: DifferenceJson, dropped: Commits) -> Self {
        let more_files = there.more_files + there.files.len().saturating_sub(SHOWN);
        there.files.truncate(SHOWN);
        let tables = [
            ("Packages", there.packages),
            ("Runtimes and buildpacks", there.versions),
            ("Process types", there.processes),
        ];
        let tables = tables.into_iter().filter(|(_, changes)| !changes.is_empty());
        let ConfigJson { added, changed, removed } = there.config;
        let config = [("added", added), ("changed", changed), ("removed", removed)];
        Self {
            from,
            to,
            commits: Commits::of(there.commits, there.more_commits),
            dropped,
            files: there.files.into_iter().map(file).collect(),
            more_files,
            tables: tables
                .map(|(title, changes)| (title, changes.into_iter().map(change).collect()))
                .collect(),
            config: config
                .into_iter()
                .flat_map(|(how, names)| names.into_iter().map(move |name| (how, name)))
                .collect(),
        }
    }

    /// Tells whether both run the same.
    pub(super) fn is_empty(&self) -> bool {
        self.commits.shown.is_empty()
            && self.dropped.shown.is_empty()
            && self.files.is_empty()
            && self.tables.is_empty()
            && self.config.is_empty()
    }
}

impl Commits {
    fn of(mut commits: Vec<CommitRef>, more: usize) -> Self {
        let more = more + commits.len().saturating_sub(SHOWN);
        commits.truncate(SHOWN);
        Self { shown: commits, more }
    }
}

fn file(file: FileJson) -> FileLine {
    let lines = match (file.added, file.removed) {
        (Some(added), Some(removed)) => format!("+{added} −{removed}"),
        _ => "binary".to_owned(),
    };
    FileLine { path: wording::plain(&file.path, 300), status: file.status, lines }
}

fn change(change: ChangeJson) -> Change {
    let how = match (&change.from, &change.to) {
        (None, _) => "new",
        (_, None) => "gone",
        _ => "changed",
    };
    Change {
        name: change.name,
        how,
        from: change.from.unwrap_or_default(),
        to: change.to.unwrap_or_default(),
    }
}

pub(super) async fn show(visitor: Visitor, Path(app): Path<String>, Query(asked): Query<Asked>) -> Response {
    visitor.page(view(&visitor, &app, &asked).await)
}

async fn view(visitor: &Visitor, app: &str, asked: &Asked) -> Result<DifferencePage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    let (found, _) = listed(visitor, app, "", CHOICES).await?;
    let newest = found.first().map_or(0, |release| release.version.0);
    let to = chosen(&asked.to, newest)?;
    let from = chosen(&asked.from, to.saturating_sub(1).max(1))?;
    let mut choices: Vec<Choice> = found.iter().map(choice).collect();
    for version in [from, to] {
        if newest > 0 && !choices.iter().any(|choice| choice.version == version) {
            choices.push(Choice { version, text: format!("v{version}") });
        }
    }
    let difference = match newest {
        0 => None,
        _ => Some(Difference::between(visitor, app, Version(from), Version(to)).await?),
    };
    Ok(DifferencePage {
        frame: visitor.frame(format!("Differences between releases of {app}"), "apps"),
        head,
        choices,
        from,
        to,
        difference,
    })
}

fn chosen(text: &str, usual: u64) -> Result<u64, Refusal> {
    if text.is_empty() {
        return Ok(usual);
    }
    let version = text.parse::<Version>().map(|version| version.0);
    version.map_err(|_| {
        Refusal::invalid(format!("`{}` is not the number of a release", wording::plain(text, 40)))
    })
}

fn choice(release: &super::ReleaseJson) -> Choice {
    let text = wording::plain(&release.description, 60);
    Choice { version: release.version.0, text: format!("{} · {text}", release.version) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_by_kind_and_what_does_not_is_left_out() {
        let there = json!({
            "commits": [], "files": [{ "path": "a.png", "status": "added", "added": null, "removed": null }],
            "more_commits": 0, "more_files": 2, "dropped_commits": 0,
            "packages": [{ "name": "flask", "from": "3.0", "to": "3.1" }, { "name": "redis", "from": null, "to": "5" }],
            "versions": [], "processes": [{ "type": "worker", "from": "work", "to": null }],
            "config": { "added": ["A"], "changed": [], "removed": ["B"] },
        });
        let there = serde_json::from_value(there).unwrap();
        let difference = Difference::of(Version(1), Version(2), there, Commits::default());
        let tables: Vec<_> = difference
            .tables
            .iter()
            .map(|(title, changes)| (*title, changes.iter().map(|change| change.how).collect::<Vec<_>>()))
            .collect();
        assert_eq!(tables, [("Packages", vec!["changed", "new"]), ("Process types", vec!["gone"])]);
        assert_eq!(difference.config, [("added", "A".to_owned()), ("removed", "B".to_owned())]);
        assert_eq!((difference.files[0].lines.as_str(), difference.more_files), ("binary", 2));
        assert!(!difference.is_empty());
    }

    #[test]
    fn a_release_is_chosen_by_its_number_in_both_spellings() {
        assert_eq!(chosen("v41", 1).unwrap(), 41);
        assert_eq!(chosen("41", 1).unwrap(), 41);
        assert_eq!(chosen("", 7).unwrap(), 7);
        assert!(chosen("../x", 7).is_err());
    }
}

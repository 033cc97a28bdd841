//! Reads what buildpacks report about their work: versions, pins, packages, times, and why they failed.
//!
//! A report comes from an untrusted build: everything is bounded, and nothing in it decides what the platform
//! does, only what it shows and keeps for the next build of the same app.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use model::detection::VersionChoice;
use model::pins::{Pin, Pins};

use crate::request::Step;
use crate::tree::{names_below, read_below};

/// Most bytes of one file of a report.
const FILE_MAX: usize = 1024 * 1024;

/// Most lines of one file of a report, and most pins.
const LINES_MAX: usize = 20_000;
const PINS_MAX: usize = 100;

/// What one buildpack reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) versions: Vec<VersionChoice>,
    pub(crate) pins: Pins,
    pub(crate) packages: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
    /// Directories of the source to hold for the next build.
    pub(crate) keep: Vec<String>,
    /// Directories of the source to take away before packing.
    pub(crate) discard: Vec<String>,
    /// The reason and the hint of a failure.
    pub(crate) failure: Option<(String, Option<String>)>,
    /// The exit status of `bin/compile`, once it has ended.
    pub(crate) status: Option<i32>,
    /// What `bin/release` printed.
    pub(crate) release: String,
}

impl Report {
    /// Reads the report of a buildpack; what is missing, too large or malformed is left out.
    pub(crate) fn read(directory: &Path) -> Self {
        let lines = |name: &str| lines(&text(directory, name));
        let mut report = Self { release: text(directory, "release"), ..Self::default() };
        report.versions = lines("versions").iter().filter_map(|line| version(line)).collect();
        report.packages = lines("packages").iter().filter_map(|line| pair(line)).collect();
        report.steps = lines("steps").iter().filter_map(|line| step(line)).collect();
        report.keep = lines("keep");
        report.discard = lines("discard");
        report.status = text(directory, "status").trim().parse().ok();
        let failure = lines("failure");
        report.failure = failure
            .first()
            .map(|reason| (reason.clone(), failure.get(1).filter(|hint| !hint.is_empty()).cloned()));
        for name in names_below(directory, "pins", PINS_MAX).unwrap_or_default() {
            report.pins.extend(pin(directory, &name).map(|pin| (name, pin)));
        }
        report
    }
}

fn text(directory: &Path, name: &str) -> String {
    let bytes = read_below(directory, name, FILE_MAX).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn lines(text: &str) -> Vec<String> {
    let visible = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    text.lines().take(LINES_MAX).map(|line| line.chars().map(visible).collect()).collect()
}

fn pair(line: &str) -> Option<(String, String)> {
    line.split_once('\t').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn step(line: &str) -> Option<Step> {
    let (name, milliseconds) = pair(line)?;
    Some(Step { name, took: Duration::from_millis(milliseconds.trim().parse().ok()?) })
}

fn version(line: &str) -> Option<VersionChoice> {
    let mut fields = line.split('\t').map(str::to_owned);
    let filled = |field: Option<String>| field.filter(|text| !text.is_empty());
    Some(VersionChoice {
        name: filled(fields.next())?,
        requested: filled(fields.next()),
        version: filled(fields.next())?,
        origin: filled(fields.next()).unwrap_or_else(|| "the platform".into()),
        pinned: fields.next().as_deref() == Some("yes"),
        newer: filled(fields.next()),
    })
}

fn pin(directory: &Path, name: &str) -> Option<Pin> {
    let field =
        |field: &str| Some(text(directory, &format!("pins/{name}/{field}"))).filter(|text| !text.is_empty());
    // An empty resolution is a resolution too.
    let version = field("version").unwrap_or_default();
    Some(Pin { version, requested: field("requested"), origin: field("origin")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_report_is_read_and_what_is_malformed_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("pins/python")).unwrap();
        fs::write(root.join("pins/python/version"), "3.11.2").unwrap();
        fs::write(root.join("pins/python/origin"), ".python-version").unwrap();
        fs::write(root.join("versions"), "python\t3.11\t3.11.2\t.python-version\tyes\t\nbroken\n").unwrap();
        fs::write(root.join("packages"), "flask\t3.1.0\nnonsense\n").unwrap();
        fs::write(root.join("steps"), "install\t120\nx\ty\n").unwrap();
        fs::write(root.join("failure"), "it \u{1b}[31mbroke\n\n").unwrap();
        let report = Report::read(root);
        assert_eq!(report.pins["python"].version, "3.11.2");
        assert_eq!((report.versions.len(), report.versions[0].pinned), (1, true));
        assert_eq!(report.packages.into_iter().collect::<Vec<_>>(), [("flask".into(), "3.1.0".into())]);
        assert_eq!(report.steps, [Step { name: "install".into(), took: Duration::from_millis(120) }]);
        assert_eq!(report.failure, Some(("it \u{fffd}[31mbroke".into(), None)));
    }
}

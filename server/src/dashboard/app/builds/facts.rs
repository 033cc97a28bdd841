//! A build as the pages show it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::detection::DetectionTrace;
use model::release::{CommitRef, Version};
use model::wording;
use serde::Deserialize;

use crate::dashboard::client::Refusal;
use crate::dashboard::page::Visitor;
use crate::dashboard::words::{self, Moment};

/// The duration of all steps together.
const TOTAL: &str = "total";

/// The steps of every build, in their order; what else a buildpack tells is a part of `compile`.
const STEPS: [&str; 4] = ["prepare", "detect", "compile", "pack"];

/// A build as the API gives it.
#[derive(Deserialize)]
pub(super) struct BuildJson {
    pub(super) id: String,
    state: String,
    reason: Option<String>,
    hint: Option<String>,
    commit: Option<CommitRef>,
    branch: Option<String>,
    #[serde(default)]
    pub(super) trace: Option<DetectionTrace>,
    slug: Option<SlugJson>,
    release: Option<ReleaseJson>,
    user: Person,
    #[serde(default)]
    cancel_requested: bool,
    #[serde(default)]
    durations: Option<BTreeMap<String, u64>>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct SlugJson {
    digest: String,
    bytes: u64,
}

#[derive(Deserialize)]
struct ReleaseJson {
    version: Version,
}

#[derive(Deserialize)]
struct Person {
    email: String,
}

/// A build in words.
pub(super) struct Facts {
    pub(super) id: String,
    /// As much of its id as people say.
    pub(super) short: String,
    pub(super) state: String,
    /// The style of its state.
    pub(super) style: &'static str,
    /// It waits or runs.
    pub(super) is_open: bool,
    pub(super) is_being_cancelled: bool,
    pub(super) reason: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) commit: Option<CommitRef>,
    pub(super) branch: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) release: Option<Version>,
    pub(super) by: String,
    pub(super) at: Moment,
    /// How long it took, or has been running.
    pub(super) took: String,
    pub(super) steps: Vec<Step>,
}

/// A step and how long it took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) took: String,
    /// Its share of the whole, of a thousand.
    pub(super) share: u64,
    /// It is a part of the step before.
    pub(super) is_part: bool,
}

/// A build that waits or runs, as other pages mention it.
pub(in crate::dashboard::app) struct Underway {
    pub(in crate::dashboard::app) id: String,
    /// Such as `Build 0190a1b2-c3d4 of 8f3a2c1d Add the cart is running`.
    pub(in crate::dashboard::app) sentence: String,
}

impl Underway {
    /// Returns the newest build, if it waits or runs.
    pub(in crate::dashboard::app) async fn of(visitor: &Visitor, app: &str) -> Result<Option<Self>, Refusal> {
        let newest = "created_at ..; order=desc,max=1";
        let found: Vec<BuildJson> = visitor.newest(&["apps", app, "builds"], newest).await?;
        let open = found.into_iter().next().map(Facts::of).filter(|build| build.is_open);
        Ok(open.map(|build| {
            let of = build.commit.map(|commit| format!(" of {} {}", commit.short(), commit.subject));
            let sentence = format!("Build {}{} is {}", build.short, of.unwrap_or_default(), build.state);
            Self { id: build.id, sentence }
        }))
    }
}

impl Facts {
    pub(super) fn of(build: BuildJson) -> Self {
        Self {
            short: build.id.get(..13).unwrap_or(&build.id).to_owned(),
            style: style(&build.state),
            is_open: matches!(build.state.as_str(), "queued" | "running"),
            took: took(&build, Timestamp::now()),
            steps: build.durations.as_ref().map(steps).unwrap_or_default(),
            slug: build.slug.map(|slug| {
                let digest = slug.digest.get(..12).unwrap_or(&slug.digest);
                format!("{digest}, {}", wording::bytes(slug.bytes))
            }),
            release: build.release.map(|release| release.version),
            by: build.user.email,
            at: words::moment(build.created_at),
            reason: build.reason.map(|reason| wording::sentence(&reason)),
            is_being_cancelled: build.cancel_requested,
            id: build.id,
            state: build.state,
            hint: build.hint,
            commit: build.commit,
            branch: build.branch,
        }
    }
}

fn style(state: &str) -> &'static str {
    match state {
        "succeeded" => "succeeded",
        "failed" => "failed",
        "running" => "changing",
        "queued" => "pending",
        _ => "past",
    }
}

fn took(build: &BuildJson, now: Timestamp) -> String {
    let total = build.durations.as_ref().and_then(|steps| steps.get(TOTAL));
    match (total, build.started_at) {
        (Some(total), _) => milliseconds(*total),
        (None, Some(start)) => wording::duration(build.finished_at.unwrap_or(now).duration_since(start)),
        (None, None) => String::new(),
    }
}

fn milliseconds(n: u64) -> String {
    wording::duration(SignedDuration::from_millis(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// Returns the steps in their order, with their shares.
fn steps(durations: &BTreeMap<String, u64>) -> Vec<Step> {
    let whole = durations.get(TOTAL).copied().unwrap_or_default().max(1);
    let step = |(name, took): (&String, &u64), is_part| Step {
        name: name.clone(),
        took: milliseconds(*took),
        share: (took * 1_000 / whole).min(1_000),
        is_part,
    };
    let mut steps = Vec::new();
    for name in STEPS {
        steps.extend(durations.get_key_value(name).map(|found| step(found, false)));
        if name == "compile" {
            let is_part = |name: &String| name != TOTAL && !STEPS.contains(&name.as_str());
            let parts = durations.iter().filter(|(name, _)| is_part(name));
            steps.extend(parts.map(|found| step(found, true)));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_the_order_they_happen_in() {
        let told =
            [("total", 1_000), ("pack", 200), ("install packages", 500), ("compile", 700), ("detect", 100)];
        let found = steps(&told.map(|(name, took)| (name.to_owned(), took)).into());
        let shown: Vec<_> = found.iter().map(|step| (step.name.as_str(), step.share, step.is_part)).collect();
        assert_eq!(
            shown,
            [
                ("detect", 100, false),
                ("compile", 700, false),
                ("install packages", 500, true),
                ("pack", 200, false)
            ]
        );
        assert!(steps(&BTreeMap::new()).is_empty());
        assert_eq!(steps(&[("pack".to_owned(), 7)].into())[0].share, 1_000, "no whole is known");
    }
}

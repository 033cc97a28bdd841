//! One release: what it is made of, what it changed, how its rollout went, what its release command wrote.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use jiff::Timestamp;
use model::release::Version;
use model::slug::SlugManifest;
use model::wording;
use serde::Deserialize;

use super::difference::Difference;
use super::entry::{Entry, ReleaseJson};
use super::rollout::Rollout;
use super::{TAB, find};
use crate::dashboard::app::AppHead;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Visitor};
use crate::dashboard::words::{self, Moment};

/// Most bytes of a release command's output that a page shows: the last.
const OUTPUT_MAX: usize = 20_000;

#[derive(Template)]
#[template(path = "app/release.html")]
struct ReleasePage {
    frame: Frame,
    head: AppHead,
    release: Entry,
    rollback_of: Option<Version>,
    build: Option<String>,
    finished: Option<Moment>,
    slug: Option<Slug>,
    rollout: Option<Rollout>,
    difference: Option<Difference>,
    output: Option<Output>,
}

/// What it runs.
struct Slug {
    digest: String,
    size: String,
    manifest: SlugManifest,
}

/// What the release command wrote.
struct Output {
    text: String,
    is_cut: bool,
}

#[derive(Deserialize)]
struct SlugJson {
    manifest: SlugManifest,
}

pub(super) async fn show(visitor: Visitor, Path((app, version)): Path<(String, String)>) -> Response {
    visitor.page(view(&visitor, &app, &version).await)
}

async fn view(visitor: &Visitor, app: &str, version: &str) -> Result<ReleasePage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    let release = find(visitor, app, version).await?;
    let rollout = match &release.operation {
        Some(operation) => Some(Rollout::of(visitor, app, operation).await?),
        None => None,
    };
    let before = release.version.0.checked_sub(1).filter(|before| *before > 0).map(Version);
    let difference = match before {
        Some(before) => Some(Difference::between(visitor, app, before, release.version).await?),
        None => None,
    };
    Ok(ReleasePage {
        frame: visitor.frame(format!("{} of {app}", release.version), "apps"),
        head,
        slug: slug(visitor, app, &release).await?,
        output: output(visitor, app, &release).await?,
        rollback_of: release.rollback_of,
        build: release.build.as_ref().map(|build| build.id.clone()),
        finished: release.finished_at.map(|at: Timestamp| words::moment(at)),
        release: Entry::of(release),
        rollout,
        difference,
    })
}

async fn slug(visitor: &Visitor, app: &str, release: &ReleaseJson) -> Result<Option<Slug>, Refusal> {
    let Some(slug) = &release.slug else { return Ok(None) };
    let SlugJson { manifest } = visitor.get(&["apps", app, "slugs", &slug.id]).await?;
    let digest = slug.digest.get(..12).unwrap_or(&slug.digest).to_owned();
    Ok(Some(Slug { digest, size: wording::bytes(slug.bytes), manifest }))
}

async fn output(visitor: &Visitor, app: &str, release: &ReleaseJson) -> Result<Option<Output>, Refusal> {
    if release.output_stream_url.is_none() {
        return Ok(None);
    }
    let version = release.version.0.to_string();
    let whole = visitor.text(&["apps", app, "releases", &version, "output"], "").await?;
    Ok(Some(last(&whole)))
}

/// Returns the last lines of a text that fit a page.
fn last(whole: &str) -> Output {
    let start = whole.ceil_char_boundary(whole.len().saturating_sub(OUTPUT_MAX));
    let kept = &whole[start..];
    let kept = if start == 0 { kept } else { kept.split_once('\n').map_or(kept, |(_, rest)| rest) };
    let lines = kept.lines().map(|line| wording::plain(line, OUTPUT_MAX));
    Output { text: lines.collect::<Vec<_>>().join("\n"), is_cut: start > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_whole_lines_at_its_end_are_shown() {
        let whole: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let shown = last(&whole);
        assert!(shown.is_cut && shown.text.len() <= OUTPUT_MAX);
        assert!(
            shown.text.starts_with("line ") && shown.text.ends_with("line 9999"),
            "{}",
            &shown.text[..20]
        );
        let shown = last("one\u{7}\nüwo\n");
        assert!(!shown.is_cut && shown.text == "one\nüwo");
    }
}

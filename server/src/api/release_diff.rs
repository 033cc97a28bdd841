//! What lies between two releases: commits, files, packages, versions, config keys (never values), process types.

use std::collections::BTreeMap;

use git::Comparison;
use model::slug::SlugManifest;
use serde_json::{Value, json};
use store::Release;

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::releases::find;
use crate::deploy;

/// Most commits and most files that are listed.
const LISTED: usize = 500;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let from = find(&call, &mut db, call.parameter("release")).await?;
    let to = find(&call, &mut db, call.parameter("other")).await?;
    let (before, after) = (manifest(&mut db, &from).await?, manifest(&mut db, &to).await?);
    let old = deploy::release_config(&call.platform, &mut db, &from).await?;
    let new = deploy::release_config(&call.platform, &mut db, &to).await?;
    drop(db);
    let config = old.difference(&new);
    let source = comparison(&call, &from, &to).await?;
    let versions = |manifest: &SlugManifest| -> BTreeMap<String, String> {
        let tools = manifest.versions.iter().map(|choice| (choice.name.clone(), choice.version.clone()));
        let packs =
            manifest.buildpacks.iter().map(|(name, version)| (format!("buildpack/{name}"), version.clone()));
        tools.chain(packs).collect()
    };
    let processes = |manifest: &SlugManifest| -> BTreeMap<String, String> {
        manifest.processes.iter().map(|(process, command)| (process.to_string(), command.clone())).collect()
    };
    Ok(Answer::ok(json!({
        "from": from.version.0,
        "to": to.version.0,
        "commits": source.as_ref().map_or_else(Vec::new, commits),
        "files": source.as_ref().map_or_else(Vec::new, files),
        "more_commits": source.as_ref().map_or(0, |source| source.more_commits),
        "more_files": source.as_ref().map_or(0, |source| source.more_files),
        "dropped_commits": source.as_ref().map_or(0, |source| source.dropped_commits),
        "packages": changes("name", &before.packages, &after.packages),
        "versions": changes("name", &versions(&before), &versions(&after)),
        "processes": changes("type", &processes(&before), &processes(&after)),
        "config": { "added": config.added, "changed": config.changed, "removed": config.removed },
        "slug": {
            "from": from.slug.map(|slug| slug.digest),
            "to": to.slug.map(|slug| slug.digest),
        },
    })))
}

async fn manifest(db: &mut store::Db, release: &Release) -> Result<SlugManifest, ApiError> {
    let Some(slug) = &release.slug else { return Ok(SlugManifest::default()) };
    Ok(store::find_slug(db, slug.id).await?.map(|slug| slug.manifest).unwrap_or_default())
}

/// Returns what git knows; nothing when there are not two commits, or one of them is gone.
async fn comparison(call: &Call, from: &Release, to: &Release) -> Result<Option<Comparison>, ApiError> {
    let (Some(from), Some(to)) = (&from.commit, &to.commit) else { return Ok(None) };
    let (Ok(older), Ok(newer)) = (from.id.parse(), to.id.parse()) else { return Ok(None) };
    let repository = call.platform.repositories.repository(&call.app().id.to_string())?;
    let compared = tokio::task::spawn_blocking(move || repository.compare(older, newer, LISTED)).await;
    match compared.map_err(anyhow::Error::from)? {
        Ok(comparison) => Ok(Some(comparison)),
        Err(error) => {
            tracing::info!(error = format!("{error:#}"), app.name = %call.app().name, "two commits cannot be compared");
            Ok(None)
        }
    }
}

fn commits(source: &Comparison) -> Vec<Value> {
    let shown = |commit: &git::CommitFacts| json!({ "id": commit.commit.to_string(), "subject": commit.subject, "author": commit.author_name });
    source.commits.iter().map(shown).collect()
}

fn files(source: &Comparison) -> Vec<Value> {
    let shown = |file: &git::ChangedFile| {
        let (added, removed) = file.lines.unzip();
        json!({ "path": file.path, "status": file.status, "added": added, "removed": removed })
    };
    source.files.iter().map(shown).collect()
}

/// Returns the names whose values differ, with both values.
fn changes(key: &str, from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<Value> {
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    differing.map(|name| json!({ key: name, "from": from.get(name), "to": to.get(name) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let table = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let found = changes("name", &table(&[("a", "1"), ("b", "1")]), &table(&[("b", "2"), ("c", "1")]));
        let a = json!({ "name": "a", "from": "1", "to": null });
        let b = json!({ "name": "b", "from": "1", "to": "2" });
        let c = json!({ "name": "c", "from": null, "to": "1" });
        assert_eq!(found, [a, b, c]);
    }
}

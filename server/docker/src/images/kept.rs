//! Which images of builds the daemon keeps: those that the next build of the app finds its steps in. Each stage that a build
//! finished has a name of ours with the app's id; what the app's build before had and this one has not goes. A name ends in what
//! nobody can guess: any Dockerfile may begin with any image that the daemon has, if it knows the name.
//!
//! Steps of a stage that failed have no name, so the last one that the builder spoke of gets one. A program in a step can
//! speak like the builder: only what has no name and is not older than the build is taken for its.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions, TagImageOptions};
use build::KeptImage;
use model::id::{AppId, BuildId};

use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};

/// Characters of an app's id.
const ID: usize = 36;

/// How far the daemon's clock may be behind this one, in seconds.
const CLOCKS: i64 = 5;

/// What one build keeps.
pub(super) struct Kept<'a> {
    daemon: &'a Daemon,
    /// How the names begin.
    names: String,
    begun_at: i64,
    before: Vec<ImageSummary>,
    /// The stages that are finished.
    stages: Vec<String>,
    /// The step that was spoken of last.
    step: Option<String>,
}

impl<'a> Kept<'a> {
    /// Takes note of what the build before kept.
    pub(super) async fn begin(daemon: &'a Daemon, mark: &str, app: AppId) -> Result<Self> {
        let names = format!("{}{app}-", prefix(mark));
        let before = list(daemon, &format!("{names}*")).await?;
        let begun_at = jiff::Timestamp::now().as_second();
        Ok(Self { daemon, names, begun_at, before, stages: Vec::new(), step: None })
    }

    /// Takes note of a line of the builder's.
    pub(super) fn heard(&mut self, text: &str) {
        self.step = step(text).map(str::to_owned).or(self.step.take());
    }

    /// Takes note of a stage that the builder has finished.
    pub(super) fn made(&mut self, id: Option<String>) {
        self.stages.extend(id);
    }

    /// Returns the stage that was finished last.
    pub(super) fn last(&self) -> Option<String> {
        self.stages.last().cloned()
    }

    /// Names what is kept, and removes what was kept before and is not any more.
    pub(super) async fn end(mut self, succeeded: bool) -> Result<()> {
        if !succeeded && let Some(step) = self.step.take() {
            self.stages.extend(self.confirmed(&step).await?);
        }
        let name = format!("{}{}", self.names, BuildId::new());
        for (number, id) in self.stages.iter().enumerate() {
            let options = TagImageOptions { repo: Some(name.clone()), tag: Some(number.to_string()) };
            let tagged = self.daemon.docker().tag_image(id, Some(options));
            self.daemon.ask("name an image", QUICK, tagged).await?;
        }
        for tag in self.before.iter().flat_map(|image| &image.repo_tags) {
            if tag.starts_with(&self.names) {
                remove(self.daemon, tag).await;
            }
        }
        Ok(())
    }

    async fn confirmed(&self, step: &str) -> Result<Option<String>> {
        let found = self.daemon.docker().inspect_image(step);
        let found = match self.daemon.ask("look at an image", QUICK, found).await {
            Err(DaemonError::Missing(_)) => return Ok(None),
            found => found?,
        };
        let created = found.created.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let new = created.is_some_and(|created| created.as_second() + CLOCKS >= self.begun_at);
        let unnamed = found.repo_tags.is_none_or(|tags| tags.is_empty());
        Ok(found.id.filter(|_| new && unnamed))
    }
}

/// Returns what is kept for other apps than these.
pub(super) async fn beyond(daemon: &Daemon, mark: &str, apps: &BTreeSet<AppId>) -> Result<Vec<KeptImage>> {
    let prefix = prefix(mark);
    let app = |tag: &str| tag.strip_prefix(&prefix)?.get(..ID)?.parse::<AppId>().ok();
    let mut beyond = Vec::new();
    for image in list(daemon, &format!("{prefix}*")).await? {
        let bytes = u64::try_from(image.size).unwrap_or(0);
        for name in image.repo_tags {
            if let Some(app) = app(&name).filter(|app| !apps.contains(app)) {
                beyond.push(KeptImage { name, app, bytes });
            }
        }
    }
    Ok(beyond)
}

/// Removes it.
pub(super) async fn keep_only(daemon: &Daemon, mark: &str, apps: &BTreeSet<AppId>) -> Result<()> {
    for image in beyond(daemon, mark, apps).await? {
        remove(daemon, &image.name).await;
    }
    Ok(())
}

fn prefix(mark: &str) -> String {
    format!("paas-{mark}/")
}

/// Returns the id in a line in which the builder says what a step became.
fn step(text: &str) -> Option<&str> {
    let id = text.strip_prefix(" ---> ")?.trim_end();
    (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

async fn list(daemon: &Daemon, name: &str) -> Result<Vec<ImageSummary>, DaemonError> {
    let filters = HashMap::from([("reference".to_owned(), vec![name.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    daemon.ask("list images", QUICK, daemon.docker().list_images(Some(options))).await
}

/// Takes a name from an image; without any it goes, with the steps that led to it, unless others were made of it.
async fn remove(daemon: &Daemon, image: &str) {
    let removed = daemon.docker().remove_image(image, None::<RemoveImageOptions>, None);
    match daemon.ask("remove an image", CHANGE, removed).await {
        Ok(_) | Err(DaemonError::Missing(_) | DaemonError::Conflict(_)) => {}
        Err(error) => tracing::warn!(%error, "an image of an earlier build stays"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_builders_own_line_tells_a_step() {
        assert_eq!(step(" ---> 0123456789ab\n"), Some("0123456789ab"));
        for other in [
            " ---> Running in 0123456789ab\n",
            "0123456789ab",
            " ---> 0123456789ab more",
            " ---> Using cache",
        ] {
            assert_eq!(step(other), None, "{other}");
        }
    }
}

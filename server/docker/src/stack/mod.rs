//! The stack image: what builds and replicas see beside the app. Finds it, lists it, and has it made.

mod bootstrap;
mod dockerfile;

use std::collections::HashMap;

use anyhow::Context as _;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions, TagImageOptions};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};

/// The name of the image.
pub const STACK: &str = "paas-debian-12";
/// The name of the stack, as slugs and logs have it.
pub(crate) const NAME: &str = "debian-12";
/// The label with the name of the stack.
const LABEL: &str = "paas.stack";
/// The label with the digest of the list of packages that it was made of.
const PACKAGES_LABEL: &str = "paas.stack.packages";

/// What is installed on it, a package a line; both ways of making it read the same list.
const PACKAGES: &str = include_str!("../../../../buildpacks/stack/packages.txt");

/// Is told what happens while a stack is made, a line at a time.
pub type Progress<'a> = &'a mut (dyn FnMut(&str) + Send);

/// A stack image that the daemon has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// The stack's name, such as `debian-12`.
    pub name: String,
    /// The name by which engines find it; none has it any more if a newer one took it.
    pub image: Option<String>,
    /// The image's id.
    pub id: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Whether it was made of the list of packages that this program has.
    pub current: bool,
}

/// Returns the stack image that engines use, if it was made.
///
/// # Errors
/// The daemon does not answer.
pub async fn find_stack(daemon: &Daemon) -> Result<Option<Stack>, DaemonError> {
    Ok(list_stacks(daemon).await?.into_iter().find(|stack| stack.image.is_some()))
}

/// Returns all stack images, the newest first.
///
/// # Errors
/// The daemon does not answer.
pub async fn list_stacks(daemon: &Daemon) -> Result<Vec<Stack>, DaemonError> {
    let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    let listed = daemon.ask("list images", QUICK, daemon.docker().list_images(Some(options))).await?;
    let mut stacks: Vec<_> = listed.into_iter().map(stack).collect();
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.created));
    Ok(stacks)
}

/// Makes the stack image, by the Dockerfile where its base can be had and is wanted, and else of Debian's packages, and
/// names it.
///
/// # Errors
/// Neither way works; the reason of each was told as progress.
pub async fn build_stack(
    daemon: &Daemon,
    from_packages: bool,
    progress: Progress<'_>,
) -> anyhow::Result<Stack> {
    let base = match from_packages {
        true => Err(anyhow::anyhow!("it is to be made without")),
        false => dockerfile::base(daemon, progress).await,
    };
    let id = match base {
        Ok(()) => {
            progress(&format!("Building {STACK} with the Dockerfile, on {}", dockerfile::BASE));
            dockerfile::build(daemon, progress).await?
        }
        Err(why) => {
            progress(&format!("Making {STACK} of Debian's packages, without {}: {why:#}", dockerfile::BASE));
            bootstrap::build(daemon, progress).await?
        }
    };
    let tag = TagImageOptions { repo: Some(STACK.to_owned()), tag: Some("latest".to_owned()) };
    daemon.ask("name an image", QUICK, daemon.docker().tag_image(&id, Some(tag))).await?;
    remove_older(daemon, progress).await;
    find_stack(daemon).await?.context("the image that was just made is gone")
}

/// An image in use stays, and goes with the next one.
async fn remove_older(daemon: &Daemon, progress: Progress<'_>) {
    for stack in list_stacks(daemon).await.unwrap_or_default().iter().filter(|stack| stack.image.is_none()) {
        match remove(daemon, &stack.id).await {
            Ok(()) => progress(&format!("Removed the stack image of before, {}", short(&stack.id))),
            Err(error) => {
                progress(&format!("The stack image of before stays, {}: {error}", short(&stack.id)))
            }
        }
    }
}

/// Removes an image that nothing uses; what is in use is refused.
pub(crate) async fn remove(daemon: &Daemon, id: &str) -> Result<(), DaemonError> {
    let removed = daemon.docker().remove_image(id, None::<RemoveImageOptions>, None);
    daemon.ask("remove an image", CHANGE, removed).await.map(drop)
}

fn stack(image: ImageSummary) -> Stack {
    let named = image.repo_tags.iter().any(|tag| tag == &format!("{STACK}:latest"));
    Stack {
        name: image.labels.get(LABEL).cloned().unwrap_or_default(),
        image: named.then(|| STACK.to_owned()),
        created: jiff::Timestamp::from_second(image.created).unwrap_or_default(),
        bytes: u64::try_from(image.size).unwrap_or(0),
        current: image.labels.get(PACKAGES_LABEL).is_some_and(|digest| *digest == packages_digest()),
        id: image.id,
    }
}

fn labels() -> HashMap<String, String> {
    [(LABEL, NAME.to_owned()), (PACKAGES_LABEL, packages_digest())]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn packages_digest() -> String {
    hex::encode(Sha256::digest(PACKAGES.as_bytes()))
}

fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_packages_is_one_name_a_line_in_order() {
        let names: Vec<_> = PACKAGES.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(names.is_sorted() && names.contains(&"python3-venv"), "{names:?}");
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        assert!(names.iter().all(plain), "{names:?}");
    }
}

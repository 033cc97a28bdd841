//! The stack image: what builds and replicas see beside the app. Finds it, lists it, and has it made.

mod bootstrap;
mod dockerfile;
mod names;

use std::collections::HashMap;

use anyhow::Context as _;
use bollard::models::ImageSummary;
use bollard::query_parameters::ListImagesOptions;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::daemon::{Daemon, DaemonError, QUICK};

/// The name of the image.
pub const STACK: &str = "paas-debian-12";
/// The name of the stack, as slugs and logs have it.
pub(crate) const NAME: &str = "debian-12";
/// The label with the name of the stack. What is built on a stack has it too.
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

/// Returns all stack images, the newest first. What somebody built on one is none.
///
/// # Errors
/// The daemon does not answer.
pub async fn list_stacks(daemon: &Daemon) -> Result<Vec<Stack>, DaemonError> {
    let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    let listed = daemon.ask("list images", QUICK, daemon.docker().list_images(Some(options))).await?;
    let mut stacks: Vec<_> = listed.into_iter().filter_map(stack).collect();
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
    let tag = names::own_tag(jiff::Timestamp::now());
    let made = match base {
        Ok(()) => {
            progress(&format!("Building {STACK} with the Dockerfile, on {}", dockerfile::BASE));
            dockerfile::build(daemon, &tag, progress).await
        }
        Err(why) => {
            progress(&format!("Making {STACK} of Debian's packages, without {}: {why:#}", dockerfile::BASE));
            bootstrap::build(daemon, &tag, progress).await
        }
    };
    if made.is_err() {
        // The daemon takes in also what a script wrote that failed then.
        let _ = names::remove(daemon, &format!("{STACK}:{tag}")).await;
    }
    take_place(daemon, &made?).await?;
    remove_older(daemon, progress).await;
    find_stack(daemon).await?.context("the image that was just made is gone")
}

/// Has engines find an image as the stack from now on. What they found before stays known as a stack, also if it was given no
/// name of its own when it was made.
async fn take_place(daemon: &Daemon, id: &str) -> Result<(), DaemonError> {
    if let Some(before) = find_stack(daemon).await?.filter(|before| before.id != id) {
        names::give(daemon, &before.id, &names::own_tag(before.created)).await?;
    }
    names::give(daemon, id, names::LATEST).await
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

/// Removes a stack image that was replaced and that nothing uses; what a container uses is refused. What somebody named
/// otherwise, or built on, is from then on an image as any other.
pub(crate) async fn remove(daemon: &Daemon, id: &str) -> Result<(), DaemonError> {
    names::take(daemon, id).await
}

/// Returns an image as a stack if its names say that it is one.
fn stack(image: ImageSummary) -> Option<Stack> {
    let named = image.repo_tags.iter().any(|name| names::is_latest(name));
    let made_here = image.repo_tags.iter().any(|name| names::is_own(name));
    (named || made_here).then(|| Stack {
        name: image.labels.get(LABEL).cloned().unwrap_or_default(),
        image: named.then(|| STACK.to_owned()),
        created: jiff::Timestamp::from_second(image.created).unwrap_or_default(),
        bytes: u64::try_from(image.size).unwrap_or(0),
        current: image.labels.get(PACKAGES_LABEL).is_some_and(|digest| *digest == packages_digest()),
        id: image.id,
    })
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

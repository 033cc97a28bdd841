//! By which names an image is known as a stack. Its labels do not tell: each image that is built on a stack inherits them, a
//! user's and an app's. So each stack has a name of its own from its making on, beside the one that engines find it by and
//! that the next one takes from it; nobody else gives such a name.

use bollard::query_parameters::{RemoveImageOptions, TagImageOptions};
use jiff::Timestamp;

use super::STACK;
use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};

/// The tag by which engines find the stack.
pub(super) const LATEST: &str = "latest";
/// How the tag that is a stack's own begins; the time follows, in milliseconds since 1970.
const OWN: &str = "made-";

/// Returns the tag of a stack's own name.
pub(super) fn own_tag(made_at: Timestamp) -> String {
    format!("{OWN}{}", made_at.as_millisecond())
}

/// Tells whether a name is the one by which engines find the stack.
pub(super) fn is_latest(name: &str) -> bool {
    tag(name) == Some(LATEST)
}

/// Tells whether a name is a stack's own.
pub(super) fn is_own(name: &str) -> bool {
    let digits = tag(name).and_then(|tag| tag.strip_prefix(OWN));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn tag(name: &str) -> Option<&str> {
    name.strip_prefix(STACK)?.strip_prefix(':')
}

/// Gives an image a name of the stack's.
///
/// # Errors
/// There is no such image; the daemon does not answer.
pub(super) async fn give(daemon: &Daemon, id: &str, tag: &str) -> Result<(), DaemonError> {
    let options = TagImageOptions { repo: Some(STACK.to_owned()), tag: Some(tag.to_owned()) };
    daemon.ask("name an image", QUICK, daemon.docker().tag_image(id, Some(options))).await
}

/// Takes the names of its own from a stack, with the last of which its files go, unless somebody gave it another or built on it.
///
/// # Errors
/// It is gone; a container uses it; the daemon does not answer.
pub(super) async fn take(daemon: &Daemon, id: &str) -> Result<(), DaemonError> {
    let found = daemon.ask("look at an image", QUICK, daemon.docker().inspect_image(id)).await?;
    for name in found.repo_tags.iter().flatten().filter(|name| is_own(name)) {
        remove(daemon, name).await?;
    }
    Ok(())
}

/// Removes a name, and with the last one the image.
///
/// # Errors
/// There is no such name; it is the last one and a container uses the image; the daemon does not answer.
pub(super) async fn remove(daemon: &Daemon, name: &str) -> Result<(), DaemonError> {
    let removed = daemon.docker().remove_image(name, None::<RemoveImageOptions>, None);
    daemon.ask("remove an image", CHANGE, removed).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_stack_is_given_at_its_making_is_its_own_name() {
        let own = format!("{STACK}:{}", own_tag(Timestamp::now()));
        assert!(is_own(&own) && !is_latest(&own), "{own}");
        for other in ["latest", "made-", "made-by-hand", "1"].map(|tag| format!("{STACK}:{tag}")) {
            assert!(!is_own(&other), "{other}");
        }
        assert!(!is_own(&format!("mine/{own}")) && !is_own("mine:made-1"));
    }
}

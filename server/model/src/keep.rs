//! Decides what of the past is kept and what may go: slugs by the releases that need them, images by when they were
//! stored, and what a host has by what uses it there. It removes nothing itself.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::id::SlugId;
use crate::release::Version;

mod copies;
mod host;

pub use copies::{CopyRoom, SlugCopy};
pub use host::{Belonging, HostGarbage, HostUse, Purpose, TOLD, YOUNG};

/// The newest slugs of an app whose releases can be rolled back to, however many releases those are: a change of config
/// is one without a slug of its own. As many of the newest that served are kept beside them, so that a series of failed
/// deploys costs nobody the way back.
pub const SLUGS: usize = 20;

/// The newest builds of an app whose output is kept.
pub const BUILD_LOGS: u32 = 50;

/// The newest builds of an app of which more is kept than what their release needs.
pub const BUILDS: u32 = 100;

/// The newest operations of an app whose steps are kept.
pub const OPERATIONS: u32 = 100;

/// How long an image lies without a release: its build is about to make one.
const UNRELEASED: SignedDuration = SignedDuration::from_hours(1);

/// A release of a slug whose image is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlugUse {
    /// Its number.
    pub version: Version,
    /// It served, or had nothing to roll out.
    pub succeeded: bool,
    /// What it runs.
    pub slug: SlugId,
}

/// What is known of an app's slugs.
#[derive(Clone, Debug, Default)]
pub struct AppSlugs {
    /// The app is no more; what still runs of it is pinned.
    pub destroyed: bool,
    /// The slugs whose image is there.
    pub slugs: BTreeSet<SlugId>,
    /// The releases of those, in any order.
    pub uses: Vec<SlugUse>,
    /// The slugs that serve, run somewhere, are being rolled out, or are gone back to if what serves fails its watch.
    pub pinned: BTreeSet<SlugId>,
}

impl AppSlugs {
    /// Returns the slugs that no release within reach needs.
    #[must_use]
    pub fn unneeded(&self) -> BTreeSet<SlugId> {
        let mut needed = self.pinned.clone();
        if !self.destroyed {
            needed.extend(newest_slugs(self.uses.iter()));
            needed.extend(newest_slugs(self.uses.iter().filter(|release| release.succeeded)));
        }
        self.slugs.difference(&needed).copied().collect()
    }
}

/// Returns the slugs within reach, by the newest release of each.
fn newest_slugs<'a>(uses: impl Iterator<Item = &'a SlugUse>) -> BTreeSet<SlugId> {
    let mut newest_first: Vec<&SlugUse> = uses.collect();
    newest_first.sort_by_key(|release| std::cmp::Reverse(release.version));
    let mut slugs = BTreeSet::new();
    for release in newest_first {
        if slugs.len() == SLUGS {
            break;
        }
        slugs.insert(release.slug);
    }
    slugs
}

/// What the slugs of all apps say of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageUse {
    /// A slug that is kept has it.
    pub needed: bool,
    /// When a build last made a release of it, if one ever did.
    pub released_at: Option<Timestamp>,
}

/// Tells whether an image that was last put into the store at `put_at` may be removed. One that was put there since its
/// last release belongs to a build that is about to make another.
#[must_use]
pub fn image_may_go(put_at: Timestamp, image: ImageUse, now: Timestamp) -> bool {
    let released = image.released_at.is_some_and(|released| put_at < released);
    !image.needed && (released || now.duration_since(put_at) > UNRELEASED)
}

#[cfg(test)]
mod tests;

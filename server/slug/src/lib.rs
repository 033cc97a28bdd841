#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Slugs: packs a built tree into an image named by its digest, keeps images, and puts one under a
//! replica.
//!
//! Everything that reads or writes what an app made runs in a sandbox as the app's user. An image is
//! verified before it is used. Which slug runs where is not decided here.

mod delivery;
mod error;
mod idmap;
mod image;
mod listing;
mod mountinfo;
mod mounts;
mod origin;
mod overlay;
mod pack;
mod place;
mod program;
mod rootfs;
mod store;
mod tree;
mod unpack;

pub use delivery::{Delivery, MountFacts, try_out};
pub use error::SlugError;
pub use image::digest_of;
pub use mountinfo::{Mounted, mounted};
pub use mounts::Mounts;
pub use origin::{Origin, Rest};
pub use overlay::{overlay, remove_overlay, unmount_below};
pub use pack::{PackLimits, Packed, Rootfs, Workshop, pack, pack_rootfs};
pub use place::{BlobPlace, BlobPlaceError};
pub use rootfs::{ABOUT, look_up};
pub use store::{Reach, SlugStore, StoredImage, store_reason};
pub use unpack::{UnpackLimits, unpack};

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! Slugs that are really packed, kept, mounted and unpacked; as root, and as an ordinary user as far as
//! one may.

mod mounting;
mod ordinary_user;
mod packing;
mod rootfs;
mod storing;
mod unpacking;
mod world;

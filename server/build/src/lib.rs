#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Turns a source tree into a slug with buildpacks that explain themselves.
//!
//! A [`Builder`] runs a [`BuildRequest`] in a sandbox and writes a [`BuildLog`] that others follow meanwhile.
//! Which build runs when, and what happens with its slug, is not decided here.

mod bounds;
mod builder;
mod certificates;
mod compile;
mod containers;
mod detect;
mod encoding;
mod failure;
mod follow;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod ignore;
mod image;
mod keep;
mod kept_images;
mod log;
mod mask;
mod material;
mod packing;
mod patterns;
mod processes;
mod release;
mod report;
mod request;
mod sandboxed;
mod space;
mod tools;
mod tree;

pub use builder::Builder;
pub use certificates::{build_environment, certificate_binds};
pub use containers::{Attendant, Containers, Image, ImageOrder, Imaged, Ran};
pub use detection::detect_locally;
pub use failure::{BuildFailure, FailureKind};
pub use follow::follow;
pub use image::{fetched_source, fetches};
pub use kept_images::KeptImage;
pub use log::BuildLog;
pub use request::{BuildLimits, BuildOutput, BuildRequest, BuiltSlug, Step};
pub use tools::Tools;

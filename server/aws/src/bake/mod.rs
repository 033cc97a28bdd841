//! Images that hosts start from: what goes into one, and the steps from a builder instance to a launch template that names
//! the image. All of it is found by tags, so that it can be cut off anywhere and begun again.

mod next;
mod program;
mod recipe;
mod script;
mod seen;

#[cfg(feature = "sdk")]
mod builder;
#[cfg(feature = "sdk")]
mod carry;
#[cfg(feature = "sdk")]
mod ground;
#[cfg(feature = "sdk")]
mod image;
#[cfg(feature = "sdk")]
mod look;
#[cfg(feature = "sdk")]
mod upload;

pub use next::{BUILD_WITHIN, KEPT, Next, next};
pub use program::{Architecture, Program, ProgramError};
pub use recipe::{Engine, Item, Recipe};
pub use script::{SCRIPT_BYTES, TooLong, script};
pub use seen::{Builder, BuilderState, Image, ImageState, Outcome, Seen, outcome};

#[cfg(feature = "sdk")]
pub use carry::{BakeError, Baking, Progress, bake};
#[cfg(feature = "sdk")]
pub use ground::Ground;
#[cfg(feature = "sdk")]
pub(crate) use image::{discard, discard_snapshot};
#[cfg(feature = "sdk")]
pub use look::look;
#[cfg(feature = "sdk")]
pub(crate) use look::{images, snapshots};
#[cfg(feature = "sdk")]
pub(crate) use upload::{is_there, upload};

/// The tag that says of a builder, an image and its snapshots which recipe they are of: its fingerprint.
pub const BAKE_TAG: &str = "paas:bake";

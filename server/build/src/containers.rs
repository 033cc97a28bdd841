//! What a build needs of whatever runs its programs in containers, in the build's own words.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use model::id::AppId;
use model::image::ImageConfig;
use sandbox::Sandbox;

use crate::KeptImage;

/// How a program in a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// By itself, with this status; 128 and more stand for signals.
    Exited(i32),
    /// The memory limit ended it or one of its processes, and it failed.
    OutOfMemory,
    /// Because it was to be ended.
    Stopped,
}

/// What a build does with a program that runs.
pub trait Attendant {
    /// Takes what the program wrote.
    fn output(&mut self, bytes: &[u8]);

    /// Tells whether it has to be ended now; asked many times a second.
    fn has_to_end(&mut self) -> bool;
}

/// An image that is to be made of a `Dockerfile`.
#[derive(Clone, Copy, Debug)]
pub struct ImageOrder<'a> {
    /// The app, whose builds find the steps of earlier ones.
    pub app: AppId,
    /// The archive with the `Dockerfile` at its root.
    pub context: &'a Path,
    /// The images that it begins with, as it names them.
    pub bases: &'a [String],
    /// The memory that one step may use, in bytes.
    pub memory_bytes: u64,
    /// Whether no step of an earlier build is used.
    pub afresh: bool,
    /// Where the archive of all files of the image is to be written.
    pub files: &'a Path,
    /// Most bytes of that archive.
    pub files_bytes: u64,
}

/// An image that was made.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it says of itself.
    pub config: ImageConfig,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// The images that it begins with, each with its digest in a registry, or its id where it is of none.
    pub bases: Vec<(String, String)>,
}

/// How the making of an image ended.
#[derive(Clone, Debug)]
pub enum Imaged {
    /// It is there.
    Made(Image),
    /// The builder failed, with these words.
    Failed(String),
    /// Its files are more than they may be.
    TooLarge,
    /// Because it was to be ended.
    Stopped,
}

/// Runs the programs of builds on a stack of its own, in the place of bubblewrap and the host's `/usr`.
pub trait Containers: Debug + Send + Sync {
    /// Returns the name of the stack, such as `debian-12`.
    fn stack(&self) -> &str;

    /// Runs the program of a sandbox to its end; blocks. Nothing of it outlives the call.
    ///
    /// # Errors
    /// It could not be run, or not be followed to its end.
    fn run(&self, sandbox: &Sandbox, attendant: &mut dyn Attendant) -> anyhow::Result<Ran>;

    /// Makes an image, and writes the archive of its files; blocks. Nothing of it runs when the call has ended.
    ///
    /// # Errors
    /// The builder could not be asked, or not be followed to its end.
    fn make_image(&self, order: &ImageOrder<'_>, attendant: &mut dyn Attendant) -> anyhow::Result<Imaged>;

    /// Returns what is kept of builds of images of other apps than these; blocks.
    ///
    /// # Errors
    /// The builder does not answer.
    fn images_beyond(&self, apps: &BTreeSet<AppId>) -> anyhow::Result<Vec<KeptImage>>;

    /// Removes what is kept of builds of images, but for that of these apps; blocks.
    ///
    /// # Errors
    /// The builder does not answer.
    fn keep_images_of(&self, apps: &BTreeSet<AppId>) -> anyhow::Result<()>;

    /// Ends what a server that was killed left of its builds; blocks.
    fn clear(&self);
}

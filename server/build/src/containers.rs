//! What a build needs of whatever runs its programs in containers, in the build's own words.

use std::fmt::Debug;

use sandbox::Sandbox;

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

/// Runs the programs of builds on a stack of its own, in the place of bubblewrap and the host's `/usr`.
pub trait Containers: Debug + Send + Sync {
    /// Returns the name of the stack, such as `debian-12`.
    fn stack(&self) -> &str;

    /// Runs the program of a sandbox to its end; blocks. Nothing of it outlives the call.
    ///
    /// # Errors
    /// It could not be run, or not be followed to its end.
    fn run(&self, sandbox: &Sandbox, attendant: &mut dyn Attendant) -> anyhow::Result<Ran>;

    /// Ends what a server that was killed left of its builds; blocks.
    fn clear(&self);
}

//! What machines are made of. Stories know none of it: they have machines, with addresses, that are cut off, die and boot.

use std::path::Path;

use super::network::Side;
use crate::place::Place;

/// Makes machines on the two networks of a test, and takes all of it away when it is dropped.
pub(super) trait Kind {
    /// Makes a machine with the address of this number on each network; the directory is its disk.
    fn add(&self, name: &str, number: u8, disk: &Path) -> Box<dyn Body>;
}

/// One machine.
pub(super) trait Body {
    /// Returns how a command gets there. That holds after it has lost its power, too.
    fn place(&self) -> Place;

    /// Lets nothing through to or from it, or everything again. Nobody is told: what is sent is gone.
    fn set_open(&self, side: Side, open: bool);

    /// Ends every process at once.
    fn kill(&self);

    /// Starts it after that; nothing runs yet.
    fn boot(&self);
}

//! A machine: its addresses, what runs on it, and what may happen to it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::kind::Body;
use super::network::{Network, Side};
use crate::place::Place;

/// A machine on both networks of a test.
pub(crate) struct Machine {
    pub(crate) name: String,
    body: Box<dyn Body>,
    network: Rc<Network>,
    disk: PathBuf,
    number: u8,
}

impl Machine {
    /// Makes a machine with a disk of its own.
    pub(crate) fn new(network: &Rc<Network>, name: &str) -> Self {
        Self::with_disk(network, name, name)
    }

    /// Makes a machine whose disk others may have as well, as a file system on a network.
    pub(crate) fn with_disk(network: &Rc<Network>, name: &str, disk: &str) -> Self {
        let disk = network.dir.path().join(disk);
        std::fs::create_dir_all(&disk).unwrap();
        let (body, number) = network.add(name, &disk);
        Self { name: name.to_owned(), body, network: network.clone(), disk, number }
    }

    pub(crate) fn address(&self, side: Side) -> Ipv4Addr {
        self.network.address(side, self.number)
    }

    /// Returns the directory that is its disk, there and for the test.
    pub(crate) fn disk(&self) -> &Path {
        &self.disk
    }

    /// Returns how a command gets there.
    pub(crate) fn place(&self) -> Place {
        self.body.place()
    }

    /// Cuts it off from the control plane; visitors still reach it.
    pub(crate) fn cut_off(&self) {
        self.body.set_open(Side::Control, false);
    }

    /// Brings the control plane back to it.
    pub(crate) fn heal(&self) {
        self.body.set_open(Side::Control, true);
    }

    /// Takes its power away: nothing leaves it any more, and nothing of it runs on.
    pub(crate) fn die(&self) {
        Side::BOTH.iter().for_each(|side| self.body.set_open(*side, false));
        self.body.kill();
    }

    /// Gives it power again; nothing runs yet.
    pub(crate) fn boot(&self) {
        self.body.boot();
        Side::BOTH.iter().for_each(|side| self.body.set_open(*side, true));
    }
}

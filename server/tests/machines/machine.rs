//! A machine: its addresses, what runs on it, and what may happen to it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;

use super::network::{Network, Side, kill_all};

/// A machine on both networks of a test.
pub(crate) struct Machine {
    pub(crate) name: String,
    network: Rc<Network>,
    space: String,
    number: u8,
}

impl Machine {
    pub(crate) fn new(network: &Rc<Network>, name: &str) -> Self {
        let (space, number) = network.add(name);
        Self { name: name.to_owned(), network: network.clone(), space, number }
    }

    pub(crate) fn address(&self, side: Side) -> Ipv4Addr {
        self.network.address(side, self.number)
    }

    /// Returns a directory of its own.
    pub(crate) fn dir(&self) -> PathBuf {
        self.network.dir.path().join(&self.name)
    }

    /// Returns the words before a command that is to run on the machine. It becomes the command: the process is the same.
    pub(crate) fn prefix(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.space), "--".to_owned()]
    }

    /// Cuts it off from the control plane; visitors still reach it.
    pub(crate) fn cut_off(&self) {
        self.network.set_open(Side::Control, self.number, false);
    }

    /// Brings the control plane back to it.
    pub(crate) fn heal(&self) {
        self.network.set_open(Side::Control, self.number, true);
    }

    /// Takes its power away: nothing leaves it any more, and nothing of it runs on.
    pub(crate) fn die(&self) {
        Side::BOTH.iter().for_each(|side| self.network.set_open(*side, self.number, false));
        kill_all(&self.space);
    }

    /// Gives it power again; nothing runs yet.
    pub(crate) fn boot(&self) {
        Side::BOTH.iter().for_each(|side| self.network.set_open(*side, self.number, true));
    }
}

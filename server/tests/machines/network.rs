//! Networks of a test's own: one for visitors, servers and the entries of hosts, and one between hosts and the control
//! plane, so that the second can be cut while the first holds. All of it carries the mark of the test's directory: what a
//! killed test left goes at the start of the next.

use std::cell::Cell;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::fs::FlockOperation;

use super::containers::Containers;
use super::kind::{Body, Kind};
use super::spaces::Spaces;

/// Whose turn it is, of all tests with machines of any kind.
const TURN: &str = "paas-machines-lock";

/// The two networks of a test, each of 254 addresses. They end with the last machine. One test at a time has some: its
/// visitors would take the time of those of another.
pub(crate) struct Network {
    kind: Box<dyn Kind>,
    /// A directory for the disks of all machines.
    pub(crate) dir: tempfile::TempDir,
    number: u8,
    machines: Cell<u8>,
    /// Held as long as the test lives, so that nobody takes what is its own for what a dead one left.
    _lock: File,
    /// The turn of this test.
    _turn: File,
}

/// Which of the two networks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Visitors, servers and the entries of hosts.
    Users,
    /// Hosts and the control plane.
    Control,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Users, Self::Control];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Control => "control",
        }
    }

    /// Returns the addresses of a network of that number, but for their last part.
    pub(super) fn net(self, number: u8) -> String {
        // 198.18.0.0/15 is for tests of networks (RFC 2544).
        format!("198.{}.{number}", if self == Self::Users { 18 } else { 19 })
    }
}

impl Network {
    /// Makes the networks. The test itself is on that of the visitors.
    pub(crate) fn start() -> Rc<Self> {
        let turn = File::create(std::env::temp_dir().join(TURN)).unwrap();
        rustix::fs::flock(&turn, FlockOperation::LockExclusive).unwrap();
        let in_containers = in_containers();
        let mark = if in_containers { Containers::MARK } else { Spaces::MARK };
        if in_containers {
            Containers::remove_leftovers()
        } else {
            Spaces::remove_leftovers()
        }
        let dir = tempfile::Builder::new().prefix(mark).tempdir().unwrap();
        let lock = File::create(lock_of(dir.path())).unwrap();
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        let (kind, number): (Box<dyn Kind>, u8) = if in_containers {
            let (containers, number) = Containers::start(dir.path());
            (Box::new(containers), number)
        } else {
            let (spaces, number) = Spaces::start(dir.path());
            (Box::new(spaces), number)
        };
        Rc::new(Self { kind, dir, number, machines: Cell::new(1), _lock: lock, _turn: turn })
    }

    /// Adds a machine and returns its number.
    pub(super) fn add(&self, name: &str, disk: &Path) -> (Box<dyn Body>, u8) {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        (self.kind.add(name, number, disk), number)
    }

    /// Returns the address of a machine; the test itself is number 1.
    pub(super) fn address(&self, side: Side, number: u8) -> Ipv4Addr {
        format!("{}.{number}", side.net(self.number)).parse().unwrap()
    }
}

/// Tells whether machines are containers, as `PAASD_TEST_MACHINES` says, and not namespaces.
fn in_containers() -> bool {
    match std::env::var("PAASD_TEST_MACHINES").as_deref() {
        Ok("containers") => true,
        Ok("namespaces") | Err(_) => false,
        Ok(other) => panic!("PAASD_TEST_MACHINES is `namespaces` or `containers`, not `{other}`"),
    }
}

fn lock_of(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// Tells whether the test that a directory was made for has ended: its lock is free, or the directory is gone.
pub(super) fn is_left(dir: &Path) -> bool {
    let is_free = |lock: File| rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    File::open(lock_of(dir)).map_or(true, is_free)
}

/// Returns the directories of tests with such a mark that have ended.
pub(super) fn left(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let marked = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(mark));
    marked.map(|entry| entry.path()).filter(|dir| dir.is_dir() && is_left(dir)).collect()
}

/// Runs a command whose arguments have no spaces.
pub(super) fn run(program: &str, arguments: &str) -> Result<String, String> {
    output_of(Command::new(program).args(arguments.split_whitespace()))
}

/// Returns what a command prints, or what it complains of.
pub(super) fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {said}"))
    }
}

//! Networks of a test's own: one for visitors, servers and the entries of hosts, and one between hosts and the control
//! plane, so that the second can be cut while the first holds. Each machine is a network namespace on both; the bridges
//! are in a namespace, too. All of it carries the mark of the test's directory: what a killed test left goes at the
//! start of the next.

use std::cell::Cell;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::fs::FlockOperation;

use crate::platform::binary;
use crate::wait;

/// Begins the names of directories and namespaces.
const MARK: &str = "paas-machines-";

/// The two networks of a test, each of 254 addresses. They end with the last machine. One test at a time has some: its
/// visitors would take the time of those of another.
pub(crate) struct Network {
    /// A directory for the data of all machines.
    pub(crate) dir: tempfile::TempDir,
    mark: String,
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
}

impl Network {
    /// Makes the networks. The test itself is on that of the visitors.
    pub(crate) fn start() -> Rc<Self> {
        let all = File::create(std::env::temp_dir().join(format!("{MARK}lock"))).unwrap();
        rustix::fs::flock(&all, FlockOperation::LockExclusive).unwrap();
        remove_leftovers();
        let dir = tempfile::Builder::new().prefix(MARK).tempdir().unwrap();
        let lock = File::create(dir.path().join("lock")).unwrap();
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        let mark = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        let switch = format!("{mark}-switch");
        ip(&format!("netns add {switch}")).unwrap();
        for side in Side::BOTH {
            ip(&format!("-n {switch} link add {} type bridge", side.name())).unwrap();
            ip(&format!("-n {switch} link set {} up", side.name())).unwrap();
        }
        // Whoever makes the link has the number.
        let link = |number: &u8| {
            ip(&format!("link add paasm-{number} type veth peer name test netns {switch}")).is_ok()
        };
        let number = (1..=250).find(link).expect("one of 250 networks is free");
        let network = Self { dir, mark, number, machines: Cell::new(1), _lock: lock, _turn: all };
        let address = network.address(Side::Users, 1);
        ip(&format!("addr add {address}/24 dev paasm-{number}")).unwrap();
        ip(&format!("link set paasm-{number} up")).unwrap();
        ip(&format!("-n {switch} link set test master users up")).unwrap();
        Rc::new(network)
    }

    /// Adds a machine and returns the name of its namespace, and its number.
    pub(super) fn add(&self, name: &str) -> (String, u8) {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let (space, switch) = (format!("{}-{name}", self.mark), self.switch());
        ip(&format!("netns add {space}")).unwrap();
        ip(&format!("-n {space} link set lo up")).unwrap();
        for side in Side::BOTH {
            let (bridge, address) = (side.name(), self.address(side, number));
            let port = format!("{bridge}-{number}");
            ip(&format!("-n {switch} link add {port} type veth peer name {bridge} netns {space}")).unwrap();
            ip(&format!("-n {switch} link set {port} master {bridge} up")).unwrap();
            ip(&format!("-n {space} addr add {address}/24 dev {bridge}")).unwrap();
            ip(&format!("-n {space} link set {bridge} up")).unwrap();
        }
        (space, number)
    }

    /// Lets nothing through to or from a machine, or everything again. Nobody is told: what is sent is gone.
    pub(super) fn set_open(&self, side: Side, number: u8, open: bool) {
        let (port, state) = (format!("{}-{number}", side.name()), if open { 3 } else { 0 });
        let switch = self.switch();
        run("bridge", &format!("-n {switch} link set dev {port} state {state}")).unwrap();
    }

    /// Returns the address of a machine; the test itself is number 1.
    pub(super) fn address(&self, side: Side, number: u8) -> Ipv4Addr {
        // 198.18.0.0/15 is for tests of networks (RFC 2544).
        Ipv4Addr::new(198, if side == Side::Users { 18 } else { 19 }, self.number, number)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.mark)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(&self.mark);
    }
}

/// Ends every process in a namespace at once.
pub(super) fn kill_all(space: &str) {
    let pids = || run("ip", &format!("netns pids {space}")).unwrap_or_default();
    wait::until(&format!("all in {space} to end"), || {
        let pids = pids();
        let pids: Vec<&str> = pids.split_whitespace().collect();
        if pids.is_empty() {
            return Some(());
        }
        // One that has just ended is no failure.
        let _ = Command::new("kill").arg("-KILL").args(&pids).output();
        None
    });
}

/// Removes what tests left that were killed: their locks are free.
fn remove_leftovers() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let (dir, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !name.starts_with(MARK) || !dir.is_dir() {
            continue;
        }
        let is_free = |lock: File| rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if File::open(dir.join("lock")).map_or(true, is_free) {
            remove(&name);
            for data in data_dirs(&dir) {
                let _ = Command::new(binary("paasd")).args(["stop", "--data-dir"]).arg(data).output();
            }
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}

/// Returns the directories below that a server or an agent had.
fn data_dirs(dir: &Path) -> Vec<PathBuf> {
    let below = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let all = below(dir).into_iter().flat_map(|machine| [vec![machine.clone()], below(&machine)].concat());
    all.filter(|data| data.join("agent").is_dir()).collect()
}

/// Removes the namespaces of a mark with all that runs in them; links and bridges go with them.
fn remove(mark: &str) {
    let listed = run("ip", "netns list").unwrap_or_default();
    let spaces = listed.lines().filter_map(|line| line.split_whitespace().next());
    for space in spaces.filter(|space| space.starts_with(&format!("{mark}-"))) {
        kill_all(space);
        let _ = ip(&format!("netns del {space}"));
    }
}

fn ip(arguments: &str) -> Result<String, String> {
    run("ip", arguments)
}

/// Runs a command whose arguments have no spaces.
fn run(program: &str, arguments: &str) -> Result<String, String> {
    let output = Command::new(program).args(arguments.split_whitespace()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text) } else { Err(format!("{program} {arguments}: {said}")) }
}

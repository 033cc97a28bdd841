//! Machines that are network namespaces and share all else with this computer: they take root and iproute2. The bridges
//! between them are in a namespace, too.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::kind::{Body, Kind};
use super::network::{Side, left, run};
use crate::place::Place;
use crate::platform::binary;
use crate::wait;

/// The namespaces of a test.
pub(super) struct Spaces {
    mark: String,
    /// Of the networks.
    number: u8,
}

/// A machine, and where its wires end.
struct Space {
    name: String,
    switch: String,
    number: u8,
}

impl Spaces {
    /// Begins the names of directories and namespaces.
    pub(super) const MARK: &str = "paas-machines-";

    /// Makes the networks and returns their number.
    pub(super) fn start(dir: &Path) -> (Self, u8) {
        let mark = name_of(dir);
        let switch = switch(&mark);
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
        let spaces = Self { mark, number };
        ip(&format!("addr add {}.1/24 dev paasm-{number}", Side::Users.net(number))).unwrap();
        ip(&format!("link set paasm-{number} up")).unwrap();
        ip(&format!("-n {switch} link set test master users up")).unwrap();
        (spaces, number)
    }

    /// Removes what tests left that were killed.
    pub(super) fn remove_leftovers() {
        for dir in left(Self::MARK) {
            remove(&name_of(&dir));
            for data in data_dirs(&dir) {
                let _ = Command::new(binary("paasd")).args(["stop", "--data-dir"]).arg(data).output();
            }
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}

impl Kind for Spaces {
    fn add(&self, name: &str, number: u8, _: &Path) -> Box<dyn Body> {
        let (space, switch) = (format!("{}-{name}", self.mark), switch(&self.mark));
        ip(&format!("netns add {space}")).unwrap();
        ip(&format!("-n {space} link set lo up")).unwrap();
        for side in Side::BOTH {
            let (bridge, net) = (side.name(), side.net(self.number));
            let port = format!("{bridge}-{number}");
            ip(&format!("-n {switch} link add {port} type veth peer name {bridge} netns {space}")).unwrap();
            ip(&format!("-n {switch} link set {port} master {bridge} up")).unwrap();
            ip(&format!("-n {space} addr add {net}.{number}/24 dev {bridge}")).unwrap();
            ip(&format!("-n {space} link set {bridge} up")).unwrap();
        }
        Box::new(Space { name: space, switch, number })
    }
}

impl Drop for Spaces {
    fn drop(&mut self) {
        remove(&self.mark);
    }
}

impl Body for Space {
    fn place(&self) -> Place {
        Place::on_network(Path::new("/run/netns").join(&self.name))
    }

    fn set_open(&self, side: Side, open: bool) {
        let (port, state) = (format!("{}-{}", side.name(), self.number), if open { 3 } else { 0 });
        run("bridge", &format!("-n {} link set dev {port} state {state}", self.switch)).unwrap();
    }

    fn kill(&self) {
        kill_all(&self.name);
    }

    fn boot(&self) {}
}

fn switch(mark: &str) -> String {
    format!("{mark}-switch")
}

/// Ends every process in a namespace at once.
fn kill_all(space: &str) {
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

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap().to_str().unwrap().to_owned()
}

fn ip(arguments: &str) -> Result<String, String> {
    run("ip", arguments)
}

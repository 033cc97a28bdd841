//! One machine that is a container.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::containers::docker;
use super::kind::Body;
use super::network::{Side, run};
use crate::place::Place;

/// Of which namespaces it is made, by the names of the kernel and of `nsenter`, beside its network and processes.
const NAMESPACES: [(&str, &str); 3] = [("mnt", "mount"), ("uts", "uts"), ("ipc", "ipc")];

/// Lets what is brought there make groups below the container's own. Those of cgroup version 2 are made only where no
/// process is: the first one gets a group for itself. Then it takes away the way out, which leads nowhere: who tries to
/// leave is to know at once.
const PREPARE: &str = r#"set -e
while read -r _ _ _ _ point _; do
  case $point in /sys/fs/cgroup | /sys/fs/cgroup/*) mount -o remount,bind,rw "$point" ;; esac
done </proc/self/mountinfo
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/idle
  echo 1 >/sys/fs/cgroup/idle/cgroup.procs
fi
ip route flush default"#;

/// A container.
pub(super) struct Container {
    name: String,
    /// In the order of [`Side::BOTH`].
    addresses: [String; 2],
    /// Leads to what the kernel tells of its first process, which is another after each boot.
    init: PathBuf,
}

impl Container {
    /// Starts one that has been made.
    pub(super) fn start(name: String, addresses: [String; 2], init: PathBuf) -> Self {
        let container = Self { name, addresses, init };
        container.boot();
        container
    }

    fn namespace(&self, name: &str) -> PathBuf {
        self.init.join("ns").join(name)
    }

    /// Returns the name of its port on a network's bridge.
    fn port(&self, side: Side) -> String {
        let address = &self.addresses[usize::from(side == Side::Control)];
        let there = |what: &str| {
            run("nsenter", &format!("--net={} ip -oneline {what}", self.namespace("net").display())).unwrap()
        };
        // `12: eth0    inet 198.18.1.2/24 …`
        let own = there("-4 addr");
        let own = own.lines().find(|line| line.contains(&format!(" {address}/"))).unwrap();
        // `12: eth0@if13: …`, where 13 is the number of the other end, here.
        let link = there(&format!("link show {}", own.split_whitespace().nth(1).unwrap()));
        let number = link.split_once("@if").unwrap().1.split(':').next().unwrap();
        // `13: veth0c0ffee@if12: …`
        let here = run("ip", "-oneline link").unwrap();
        let port = here.lines().find_map(|line| line.strip_prefix(&format!("{number}: "))).unwrap();
        port.split(['@', ':']).next().unwrap().to_owned()
    }
}

impl Body for Container {
    fn place(&self) -> Place {
        let option = |(name, option)| format!("--{option}={}", self.namespace(name).display());
        Place::on_network(self.namespace("net")).with(&NAMESPACES.map(option), self.namespace("pid"))
    }

    fn set_open(&self, side: Side, open: bool) {
        let state = if open { 3 } else { 0 };
        run("bridge", &format!("link set dev {} state {state}", self.port(side))).unwrap();
    }

    fn kill(&self) {
        // What `docker kill` does, which waits, too, and in vain: until the test has taken note of the end of those it
        // started there, they are not gone.
        let first = std::fs::read_link(&self.init).unwrap();
        run("kill", &format!("-KILL {}", first.file_name().unwrap().display())).unwrap();
    }

    fn boot(&self) {
        docker(&["wait", &self.name]).unwrap();
        docker(&["start", &self.name]).unwrap();
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &self.name]).unwrap();
        let _ = std::fs::remove_file(&self.init);
        symlink(format!("/proc/{}", pid.trim()), &self.init).unwrap();
        let place = self.place();
        let mut prepare = place.command("/bin/sh".as_ref());
        let prepared = place.output(prepare.args(["-c", PREPARE])).unwrap();
        assert!(prepared.status.success(), "{prepared:?}");
    }
}

//! A Docker Engine of a test's own, which it may end and kill: with a directory of its own and no say in the host's packet
//! filter, so that no other one notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::stage::wait;

/// A stack of this host's own programs: enough to run what these tests run, and made in a moment.
const STACK: &str = r#"set -euo pipefail
cd "$1"
for program in /bin/bash /usr/bin/env /bin/sleep /usr/bin/python3; do echo "$program"; ldd "$program" | grep -o '/[^ ]*'; done |
  sort -u | while read -r file; do cp --dereference --parents "$file" .; done
library=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
mkdir -p ".$library" app dev etc proc sys tmp var/tmp
tar -C "$library" --exclude=test --exclude=__pycache__ --exclude=dist-packages -c . | tar -C ".$library" -x
tar -c . | docker -H "$2" import --change 'LABEL paas.stack=debian-12' - paas-debian-12 >/dev/null
"#;

/// The bridge of a daemon. It has nothing on it: replicas are in networks of their own. With none at all a daemon removes
/// `docker0`, whosever that is, and with no word about it makes that its own: <https://github.com/moby/moby/pull/26989>.
struct Bridge(String);

impl Bridge {
    /// Makes one. Its network is among those for measurements (RFC 2544), and has room for nobody.
    fn make() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, own) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let bridge = Self(format!("paas-d{process}-{own}"));
        let [.., high, low] = (process.wrapping_add(own) << 2).to_be_bytes();
        let network = format!("198.18.{high}.{}/30", low | 1);
        let name = bridge.0.as_str();
        ip(&["link", "add", name, "type", "bridge"])?;
        ip(&["addr", "add", &network, "dev", name])?;
        ip(&["link", "set", name, "up"])?;
        Ok(bridge)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = ip(&["link", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| format!("`ip`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(format!("`ip {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim_end()))
        }
    }
}

/// A daemon. Dropped, it is ended with everything it runs.
pub(crate) struct Dockerd {
    bridge: Bridge,
    dir: TempDir,
    live_restore: bool,
    process: Child,
}

impl Dockerd {
    /// Starts one that has the stack; where none can be had, says so visibly.
    pub(crate) async fn start(live_restore: bool) -> Option<Self> {
        let skipped = |why: &str| eprintln!("SKIPPED: {why}");
        if !rustix::process::geteuid().is_root() {
            skipped("only root starts a Docker Engine");
            return None;
        }
        let bridge = match Bridge::make() {
            Ok(bridge) => bridge,
            Err(error) => {
                skipped(&format!("dockerd can have no bridge of its own: {error}"));
                return None;
            }
        };
        let dir = tempfile::Builder::new().prefix("paas-dockerd-").tempdir().unwrap();
        let process = match spawn(dir.path(), &bridge, live_restore) {
            Ok(process) => process,
            Err(error) => {
                skipped(&format!("dockerd cannot be started: {error}"));
                return None;
            }
        };
        let mut daemon = Self { bridge, dir, live_restore, process };
        if !daemon.answers().await {
            skipped(&format!("dockerd does not run here: {}", daemon.log()));
            return None;
        }
        let root = tempfile::tempdir_in(daemon.dir.path()).unwrap();
        let made =
            Command::new("bash").args(["-c", STACK, "stack"]).arg(root.path()).arg(daemon.host()).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(daemon)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// Returns where it is, as `docker -H` takes it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Ends it in order, or as `kill -9` does.
    pub(crate) async fn end(&mut self, orderly: bool) {
        self.signal(if orderly { Signal::TERM } else { Signal::KILL });
        self.wait_for_end().await;
    }

    pub(crate) async fn start_again(&mut self) {
        // It gives up by itself where containerd takes longer than it likes; a service manager starts it again.
        for _ in 0..4 {
            self.process = spawn(self.dir.path(), &self.bridge, self.live_restore).unwrap();
            if self.answers().await {
                return;
            }
        }
        panic!("dockerd does not start again: {}", self.log());
    }

    /// Waits until it answers; false if it ended instead.
    async fn answers(&mut self) -> bool {
        let (host, log) = (self.host(), self.dir.path().join("log"));
        let process = std::cell::RefCell::new(&mut self.process);
        let look = || {
            if process.borrow_mut().try_wait().unwrap().is_some() {
                return Some(false);
            }
            let asked = Command::new("docker").args(["-H", &host, "version"]).output().unwrap();
            asked.status.success().then_some(true)
        };
        wait("dockerd to answer", look, || fs::read_to_string(&log).unwrap_or_default()).await
    }

    async fn wait_for_end(&mut self) {
        let log = self.dir.path().join("log");
        let process = std::cell::RefCell::new(&mut self.process);
        let look = || process.borrow_mut().try_wait().unwrap();
        wait("dockerd to end", look, || fs::read_to_string(&log).unwrap_or_default()).await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process(pid, signal);
        }
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // What it still runs would outlive it.
        let host = self.host();
        let docker = |arguments: &[&str]| Command::new("docker").args(["-H", &host]).args(arguments).output();
        let running = docker(&["ps", "-aq"]).map(|output| output.stdout).unwrap_or_default();
        for container in String::from_utf8_lossy(&running).lines() {
            let _ = docker(&["rm", "-f", container]);
        }
        self.signal(Signal::TERM);
        let _ = self.process.wait();
        let _ = slug::unmount_below(self.dir.path());
    }
}

fn spawn(dir: &Path, bridge: &Bridge, live_restore: bool) -> std::io::Result<Child> {
    let log = fs::File::options().create(true).append(true).open(dir.join("log"))?;
    let mut command = Command::new("dockerd");
    command.arg("--data-root").arg(dir.join("data")).arg("--exec-root").arg(dir.join("exec"));
    command.arg("--pidfile").arg(dir.join("pid")).arg("--host");
    command.arg(format!("unix://{}", dir.join("docker.sock").display()));
    command.arg("--bridge").arg(&bridge.0);
    command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false"]);
    if live_restore {
        command.arg("--live-restore");
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

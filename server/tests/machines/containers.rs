//! Machines that are Docker containers on networks of Docker's: each has its own root, processes and cgroups, and its own
//! name. The programs are those of this computer, which it has mounted and cannot change. Whatever becomes of the test,
//! somebody waits for its end and then removes all that carries its label.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::container::Container;
use super::kind::{Body, Kind};
use super::network::{Side, is_left, left, output_of};
use crate::platform::binaries;

/// Removes all whose label is the first word, which is the test's directory.
const REMOVE: &str = r#"of="label=paas-machines=$1"
docker ps --all --quiet --filter "$of" | xargs --no-run-if-empty docker rm --force --volumes
docker images --quiet --filter "$of" | xargs --no-run-if-empty docker rmi --force
docker network ls --quiet --filter "$of" | xargs --no-run-if-empty docker network rm
"#;

/// What every machine runs, so that its processes have somebody above them who lets go of those that end.
const IDLE: &str = "sleep infinity & wait";

/// What is in the image beside links and what everybody may write to.
const DIRECTORIES: [&str; 8] = ["dev", "etc", "proc", "root", "run", "sys", "usr", "var/lib"];

/// The programs of this computer, and what they need; what else is in `/etc` does not concern a machine of a test.
const SHARED: [&str; 16] = [
    "/usr",
    "/etc/alternatives",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl",
];

/// Where the programs of a system are, which are links where all of them are below `/usr`.
const LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// The containers of a test.
pub(super) struct Containers {
    dir: PathBuf,
    /// The name of the image, and of the test's networks and containers before a dash.
    mark: String,
    /// Of the networks.
    number: u8,
}

impl Containers {
    /// Begins the names of directories.
    pub(super) const MARK: &str = "paas-containers-";

    /// Makes the networks and returns their number.
    pub(super) fn start(dir: &Path) -> (Self, u8) {
        remove_after_the_end(dir);
        let mark = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let mut containers = Self { dir: dir.to_owned(), mark, number: 0 };
        let is_free = |number: &u8| containers.make_network(Side::Users, *number);
        containers.number = (1..=250).find(is_free).expect("one of 250 networks is free");
        assert!(containers.make_network(Side::Control, containers.number), "another has half of the number");
        // Docker's own would have everybody wait for servers outside.
        std::fs::write(containers.nameless(), "nameserver 192.0.2.1\n").unwrap();
        containers.make_image();
        let number = containers.number;
        (containers, number)
    }

    /// Removes what tests left when this computer went down with them.
    pub(super) fn remove_leftovers() {
        let mut dirs = left(Self::MARK);
        for list in [&["ps", "--all"][..], &["network", "ls"]] {
            let labels = [list, &["--format", r#"{{.Label "paas-machines"}}"#]].concat();
            let labels = docker(&labels).unwrap();
            dirs.extend(labels.lines().filter(|label| !label.is_empty()).map(PathBuf::from));
        }
        dirs.sort();
        dirs.dedup();
        for dir in dirs.iter().filter(|dir| is_left(dir)) {
            remove(dir);
            let _ = std::fs::remove_dir_all(dir);
        }
    }

    /// Makes one of the networks; false if its addresses are somebody else's.
    fn make_network(&self, side: Side, number: u8) -> bool {
        let (name, net) = (network(&self.mark, side), side.net(number));
        let (subnet, gateway) = (format!("{net}.0/24"), format!("{net}.1"));
        let label = self.label();
        let mut command = vec!["network", "create", "--label", &label];
        // No way leads out of it.
        command.extend(["--internal", "--subnet", &subnet, "--gateway", &gateway, &name]);
        match docker(&command) {
            Ok(_) => true,
            Err(said) if said.contains("overlaps") => false,
            Err(said) => panic!("{said}"),
        }
    }

    /// Makes the image that all are made of; it holds next to nothing.
    fn make_image(&self) {
        let root = self.dir.join("root");
        for directory in DIRECTORIES {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        for open in [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
            let open = root.join(open.strip_prefix("/").unwrap());
            std::fs::create_dir_all(&open).unwrap();
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o1777)).unwrap();
        }
        symlink("../usr/lib/os-release", root.join("etc/os-release")).unwrap();
        for link in LINKS {
            if let Ok(target) = std::fs::read_link(link) {
                symlink(target, root.join(link.trim_start_matches('/'))).unwrap();
            }
        }
        let script = r#"tar -C "$1/root" -c . | docker import --change "LABEL paas-machines=$1" - "$2""#;
        output_of(Command::new("sh").args(["-c", script, "sh"]).arg(&self.dir).arg(self.image())).unwrap();
    }

    /// Returns what of this computer a machine has, beside its disk.
    fn binds(&self, disk: &Path) -> Vec<String> {
        let uv = std::env::var_os("PAASD_UV").map(PathBuf::from);
        let uv = uv.and_then(|uv| uv.parent().map(Path::to_owned));
        let shared = SHARED.iter().chain(&LINKS).map(PathBuf::from).chain([binaries()]).chain(uv);
        let shared = shared.filter(|path| path.exists() && !path.is_symlink());
        let nameless = format!("{}:/etc/resolv.conf:ro", self.nameless().display());
        let own = [format!("{0}:{0}", disk.display()), nameless, "/dev:/dev".to_owned()];
        shared.map(|path| format!("{0}:{0}:ro", path.display())).chain(own).collect()
    }

    /// Returns the file that says whom to ask for names: somebody whom no way leads to, so that one knows at once.
    fn nameless(&self) -> PathBuf {
        self.dir.join("resolv.conf")
    }

    fn image(&self) -> String {
        // A name has no capital letters, a tag may have some.
        format!("paas-machines:{}", self.mark)
    }

    fn label(&self) -> String {
        label(&self.dir)
    }
}

impl Kind for Containers {
    fn add(&self, name: &str, number: u8, disk: &Path) -> Box<dyn Body> {
        let addresses = Side::BOTH.map(|side| format!("{}.{number}", side.net(self.number)));
        let container = format!("{}-{name}", self.mark);
        let [users, control] = Side::BOTH.map(|side| network(&self.mark, side));
        let (label, image, binds) = (self.label(), self.image(), self.binds(disk));
        // It needs no rights: whoever is brought there has those of the test.
        let mut create = vec!["create", "--name", &container, "--hostname", name];
        create.extend(["--label", &label, "--network", &users, "--ip", &addresses[0]]);
        create.extend(["--shm-size", "256m", "--workdir", "/"]);
        create.extend(binds.iter().flat_map(|bind| ["--volume", bind.as_str()]));
        create.extend([image.as_str(), "/usr/bin/bash", "-c", IDLE]);
        docker(&create).unwrap();
        docker(&["network", "connect", "--ip", &addresses[1], &control, &container]).unwrap();
        Box::new(Container::start(container, addresses, self.dir.join(format!("{name}.init"))))
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

fn network(mark: &str, side: Side) -> String {
    format!("{mark}-{}", side.name())
}

fn label(dir: &Path) -> String {
    format!("paas-machines={}", dir.display())
}

fn remove(dir: &Path) {
    if let Err(said) = output_of(Command::new("sh").args(["-c", REMOVE, "sh"]).arg(dir)) {
        eprintln!("{said}");
    }
}

/// Leaves behind what removes everything when the test has ended, however that came about.
fn remove_after_the_end(dir: &Path) {
    let script = format!("flock \"$1/lock\" true\n{REMOVE}rm -rf \"$1\"");
    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", &script, "sh"]).arg(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
}

pub(super) fn docker(arguments: &[&str]) -> Result<String, String> {
    output_of(Command::new("docker").args(arguments))
}

//! Decides the argument list of a sandbox. Nothing here does anything.
//!
//! What names paths of the host is not in the list itself, which a sandbox sees as the arguments of its first process, but
//! is read by bubblewrap from its standard input.
//!
//! From the outside in: join the cgroup and open the filters, set resource limits, bubblewrap, drop privileges, name the
//! environment, the program. Every step but the last two runs with privileges on a host where the
//! platform is root, so none of them may read what an app chose (see `environment`).

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{Bind, Controller, HostFacts, Mode, Privilege, RootEntry, Sandbox, environment, etc};

/// Writes itself into each cgroup named before the first `--`, opens each filter named before the second one as
/// the descriptors from 3 on, moves standard input to the next one, and becomes what follows. 0 is the writer itself.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift
fd=3; while [ "$1" != -- ]; do eval "exec $fd<\"\$1\"" || exit 125; fd=$((fd + 1)); shift; done; shift
eval "exec $fd<&0 </dev/null"; exec "$@""#;

/// The first descriptor of the filters.
const FIRST_FILTER: usize = 3;

/// What `setpriv` needs for dropping the rest.
const KEPT_CAPABILITIES: [&str; 3] = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"];

/// What runs a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The program and its arguments.
    pub line: Vec<OsString>,
    /// What it reads from its standard input: further arguments of bubblewrap's, each with a NUL behind it.
    pub input: Vec<u8>,
}

impl Sandbox {
    /// Returns the program and the arguments that run this sandbox on a host, with the files that hold filters of
    /// system calls.
    ///
    /// They hold no value of the environment.
    pub fn arguments(&self, host: &HostFacts, filters: &[PathBuf]) -> Arguments {
        let mut line = List::default();
        self.enter(host, filters, &mut line);
        self.limit_resources(host, &mut line);
        line.add([host.bwrap.as_os_str()]);
        line.add(["--args".to_owned(), (FIRST_FILTER + filters.len()).to_string()]);
        self.drop_privileges(host, &mut line);
        line.add(["/bin/bash", "--norc", "--noprofile", "-c", environment::UNWRAP, "bash"]);
        line.add(&self.command);
        let hidden = self.hidden(host, filters.len());
        let input = hidden.iter().flat_map(|word| word.as_bytes().iter().copied().chain([0])).collect();
        Arguments { line: line.words, input }
    }

    fn hidden(&self, host: &HostFacts, filters: usize) -> Vec<OsString> {
        let mut list = List::default();
        for at in 0..filters {
            list.add(["--add-seccomp-fd".to_owned(), (FIRST_FILTER + at).to_string()]);
        }
        self.isolate(host, &mut list);
        self.show_stack(host, &mut list);
        self.show_binds(&mut list);
        // Else the program of an ordinary user's sandbox could fill the memory behind `/` and `/dev`.
        list.add(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir"]);
        list.add([&self.workdir]);
        list.words
    }

    fn enter(&self, host: &HostFacts, filters: &[PathBuf], list: &mut List) {
        let groups = self.cgroup.as_ref().map(|name| host.cgroups.member_files(name)).unwrap_or_default();
        list.add(["/bin/sh", "-c", ENTER, "sh"]);
        list.add(groups);
        list.add(["--"]);
        list.add(filters);
        list.add(["--"]);
    }

    fn limit_resources(&self, host: &HostFacts, list: &mut List) {
        let Sandbox { limits, cgroup, .. } = self;
        // Raising the hard limit takes a capability that even root may lack.
        let open_files = limits.open_files.min(host.open_files_max.unwrap_or(u64::MAX));
        list.add([host.prlimit.as_os_str()]);
        list.add(["--core=0:0".to_owned(), format!("--nofile={open_files}:{open_files}")]);
        if let Some(bytes) = limits.file_bytes {
            list.add([format!("--fsize={bytes}:{bytes}")]);
        }
        // The limit per user counts an app's replicas together, and an ordinary user's own processes:
        // a last resort that only root can use.
        let counted = cgroup.is_some() && host.cgroups.has(Controller::Pids);
        if let Some(pids) = limits.pids.filter(|_| !counted && host.privilege == Privilege::Root) {
            list.add([format!("--nproc={pids}:{pids}")]);
        }
        list.add(["--"]);
    }

    fn isolate(&self, host: &HostFacts, list: &mut List) {
        list.add(["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        list.add(["--die-with-parent", "--new-session"]);
        if !self.network {
            list.add(["--unshare-net"]);
        }
        if let Some(hostname) = &self.hostname {
            list.add(["--hostname", hostname]);
        }
        match host.privilege {
            Privilege::Root => {
                list.add(["--cap-drop", "ALL"]);
                list.add(KEPT_CAPABILITIES.into_iter().flat_map(|capability| ["--cap-add", capability]));
            }
            Privilege::User => {
                let inside = etc::inside(host.privilege, self.identity);
                let (uid, gid) = (inside.uid().to_string(), inside.gid().to_string());
                list.add(["--unshare-user", "--uid", &uid, "--gid", &gid]);
            }
        }
    }

    fn show_stack(&self, host: &HostFacts, list: &mut List) {
        let usr = Path::new("/usr");
        list.show("--ro-bind", usr, usr);
        for (path, entry) in &host.root_entries {
            match entry {
                RootEntry::Link(target) => list.show("--symlink", target, path),
                RootEntry::Directory => list.show("--ro-bind", path, path),
            }
        }
        for path in &host.etc {
            list.show("--ro-bind", path, path);
        }
        let generated = etc::generated(host, self.identity);
        for name in etc::GENERATED {
            list.show("--ro-bind", &generated.join(name), &Path::new("/etc").join(name));
        }
        list.add(["--proc", "/proc", "--dev", "/dev"]);
        let sized = host.bwrap_version >= (0, 7);
        for path in ["/dev/shm", "/tmp", "/var/tmp"] {
            list.tmpfs(path, "1777", sized.then_some(self.limits.tmp_bytes));
        }
        list.make(Path::new("/run"));
    }

    fn show_binds(&self, list: &mut List) {
        for Bind { source, target, mode, optional } in &self.binds {
            let option = match (mode, optional) {
                (Mode::ReadOnly, false) => "--ro-bind",
                (Mode::ReadOnly, true) => "--ro-bind-try",
                (Mode::ReadWrite, false) => "--bind",
                (Mode::ReadWrite, true) => "--bind-try",
            };
            list.show(option, source, target);
        }
    }

    fn drop_privileges(&self, host: &HostFacts, list: &mut List) {
        list.add(["--"]);
        if host.privilege == Privilege::User {
            return;
        }
        let (uid, gid) = (self.identity.uid().to_string(), self.identity.gid().to_string());
        list.add([host.setpriv.as_os_str()]);
        list.add(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
        list.add(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]);
    }
}

/// The list being written, and the paths inside that exist by then.
#[derive(Default)]
struct List {
    words: Vec<OsString>,
    shown: Vec<PathBuf>,
    made: BTreeSet<PathBuf>,
}

impl List {
    fn add(&mut self, words: impl IntoIterator<Item = impl Into<OsString>>) {
        self.words.extend(words.into_iter().map(Into::into));
    }

    fn show(&mut self, option: &str, source: &Path, target: &Path) {
        self.make_parents(target);
        self.add([OsStr::new(option), source.as_os_str(), target.as_os_str()]);
        self.shown.push(target.to_owned());
    }

    fn tmpfs(&mut self, path: &str, mode: &str, bytes: Option<u64>) {
        self.make_parents(Path::new(path));
        self.add(["--perms", mode]);
        if let Some(bytes) = bytes {
            self.add(["--size".to_owned(), bytes.to_string()]);
        }
        self.add(["--tmpfs", path]);
        self.shown.push(PathBuf::from(path));
    }

    /// Makes the directories above `target` that everybody may enter. bubblewrap itself would let only
    /// root, and what is below something shown belongs to that.
    fn make_parents(&mut self, target: &Path) {
        let above: Vec<_> = target
            .ancestors()
            .skip(1)
            .take_while(|parent| parent.parent().is_some())
            .filter(|parent| !self.shown.iter().any(|shown| parent.starts_with(shown)))
            .collect();
        above.into_iter().rev().for_each(|parent| self.make(parent));
    }

    fn make(&mut self, directory: &Path) {
        if self.made.insert(directory.to_owned()) {
            self.add(["--perms", "0755", "--dir"]);
            self.add([directory]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{CgroupSupport, Environment, Identity};

    fn host(privilege: Privilege) -> HostFacts {
        HostFacts {
            privilege,
            stack: "debian-12".into(),
            bwrap: "/usr/bin/bwrap".into(),
            bwrap_version: (0, 8),
            prlimit: "/usr/bin/prlimit".into(),
            setpriv: "/usr/bin/setpriv".into(),
            root_entries: vec![("/bin".into(), RootEntry::Link("usr/bin".into()))],
            etc: vec!["/etc/ssl/certs".into()],
            generated: "/data/etc".into(),
            open_files_max: Some(4096),
            cgroups: CgroupSupport::default(),
            unfiltered: None,
        }
    }

    fn sandbox() -> Sandbox {
        Sandbox::new(Identity::new(200_001, 200_001).unwrap(), ["bash", "-c", "true"])
    }

    /// The arguments as one line, for searching.
    fn line(sandbox: &Sandbox, host: &HostFacts) -> String {
        let Arguments { line, input } = sandbox.arguments(host, &["/data/etc/a.seccomp".into()]);
        let line = line.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        format!("{line} {}", String::from_utf8_lossy(&input).replace('\0', " "))
    }

    #[test]
    fn no_value_of_the_environment_is_an_argument() {
        let mut sandbox = sandbox();
        let mut environment = Environment::base();
        environment.set("SECRET", "s3cret").unwrap();
        sandbox.environment = environment;
        let line = line(&sandbox, &host(Privilege::Root));
        assert!(!line.contains("s3cret") && !line.contains("SECRET"), "{line}");
    }

    #[test]
    fn root_drops_to_the_identity_and_a_user_makes_a_user_namespace() {
        let root = line(&sandbox(), &host(Privilege::Root));
        assert!(root.contains("/usr/bin/setpriv --reuid 200001 --regid 200001 --clear-groups"), "{root}");
        assert!(!root.contains("--unshare-user"), "{root}");
        let user = line(&sandbox(), &host(Privilege::User));
        assert!(user.contains("--unshare-user --uid 1000 --gid 1000"), "{user}");
        assert!(!user.contains("setpriv"), "{user}");
    }

    #[test]
    fn limits_stay_below_what_the_host_allows() {
        assert!(line(&sandbox(), &host(Privilege::User)).contains("--nofile=4096:4096"));
    }

    #[test]
    fn processes_are_limited_by_the_cgroup_where_it_counts_them_and_else_by_the_user() {
        let mut sandbox = sandbox();
        sandbox.limits.pids = Some(64);
        sandbox.cgroup = Some("web.1".into());
        let mut host = host(Privilege::Root);
        assert!(line(&sandbox, &host).contains("--nproc=64:64"));
        host.cgroups.parents = BTreeMap::from([(Controller::Pids, "/sys/fs/cgroup/pids/paas".into())]);
        let line = line(&sandbox, &host);
        assert!(!line.contains("--nproc"), "{line}");
        assert!(
            line.contains("/sys/fs/cgroup/pids/paas/web.1/cgroup.procs -- /data/etc/a.seccomp -- "),
            "{line}"
        );
        assert!(line.contains("bwrap --args 4 -- ") && line.contains(" --add-seccomp-fd 3 "), "{line}");
    }

    #[test]
    fn directories_above_a_bind_are_made_but_never_inside_another_bind() {
        let mut sandbox = sandbox();
        sandbox.binds = vec![
            Bind::read_only("/data/packs", "/opt/paas/buildpacks"),
            Bind::read_write("/data/app", "/app"),
            Bind::read_only("/data/profile", "/app/.profile.d/paas"),
        ];
        let line = line(&sandbox, &host(Privilege::Root));
        assert!(line.contains("--perms 0755 --dir /opt --perms 0755 --dir /opt/paas --ro-bind"), "{line}");
        assert!(!line.contains("--dir /app"), "{line}");
    }
}

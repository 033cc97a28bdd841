//! Decides the argument list of a sandbox. Nothing here does anything.
//!
//! From the outside in: join the cgroup, set resource limits, bubblewrap, drop privileges, name the
//! environment, the program. Every step but the last two runs with privileges on a host where the
//! platform is root, so none of them may read what an app chose (see `environment`).

use std::{ffi::OsString, path::Path};

use crate::{Bind, Controller, HostFacts, Mode, Privilege, RootEntry, Sandbox, environment, etc};

/// Writes itself into each cgroup named before `--` and becomes what follows. 0 is the writer itself.
const JOIN: &str = r#"while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@""#;

/// What `setpriv` needs for dropping the rest.
const KEPT_CAPABILITIES: [&str; 3] = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"];

impl Sandbox {
    /// Returns the program and the arguments that run this sandbox on a host.
    ///
    /// They hold no value of the environment.
    pub fn arguments(&self, host: &HostFacts) -> Vec<OsString> {
        let mut list = List::default();
        self.join_cgroup(host, &mut list);
        self.limit_resources(host, &mut list);
        list.add([host.bwrap.as_os_str()]);
        self.isolate(host, &mut list);
        self.show_stack(host, &mut list);
        self.show_binds(&mut list);
        // Else the program of an ordinary user's sandbox could fill the memory behind `/` and `/dev`.
        list.add(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir"]);
        list.add([&self.workdir]);
        self.drop_privileges(host, &mut list);
        list.add(["/bin/bash", "--norc", "--noprofile", "-c", environment::UNWRAP, "bash"]);
        list.add(&self.command);
        list.0
    }

    fn join_cgroup(&self, host: &HostFacts, list: &mut List) {
        let Some(name) = &self.cgroup else { return };
        let files = host.cgroups.member_files(name);
        if !files.is_empty() {
            list.add(["/bin/sh", "-c", JOIN, "sh"]);
            list.add(files);
            list.add(["--"]);
        }
    }

    fn limit_resources(&self, host: &HostFacts, list: &mut List) {
        let Sandbox { limits, cgroup, .. } = self;
        let most = host.open_files_max.filter(|_| host.privilege == Privilege::User).unwrap_or(u64::MAX);
        let open_files = limits.open_files.min(most);
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
        list.add(["--ro-bind", "/usr", "/usr"]);
        for (path, entry) in &host.root_entries {
            match entry {
                RootEntry::Link(target) => list.option("--symlink", [target, path]),
                RootEntry::Directory => list.option("--ro-bind", [path, path]),
            }
        }
        for path in &host.etc {
            list.option("--ro-bind", [path, path]);
        }
        let generated = etc::generated(host, self.identity);
        for name in etc::GENERATED {
            list.option("--ro-bind", [&generated.join(name), &Path::new("/etc").join(name)]);
        }
        list.add(["--proc", "/proc", "--dev", "/dev"]);
        let sized = host.bwrap_version >= (0, 7);
        for path in ["/dev/shm", "/tmp", "/var/tmp"] {
            list.tmpfs(path, "1777", sized.then_some(self.limits.tmp_bytes));
        }
        list.tmpfs("/run", "0755", sized.then_some(1 << 20));
    }

    fn show_binds(&self, list: &mut List) {
        for Bind { source, target, mode, optional } in &self.binds {
            let option = match (mode, optional) {
                (Mode::ReadOnly, false) => "--ro-bind",
                (Mode::ReadOnly, true) => "--ro-bind-try",
                (Mode::ReadWrite, false) => "--bind",
                (Mode::ReadWrite, true) => "--bind-try",
            };
            list.option(option, [source, target]);
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

#[derive(Default)]
struct List(Vec<OsString>);

impl List {
    fn add(&mut self, words: impl IntoIterator<Item = impl Into<OsString>>) {
        self.0.extend(words.into_iter().map(Into::into));
    }

    fn option(&mut self, name: &str, paths: [impl AsRef<Path>; 2]) {
        self.add([name]);
        self.add(paths.map(|path| path.as_ref().as_os_str().to_owned()));
    }

    fn tmpfs(&mut self, path: &str, mode: &str, bytes: Option<u64>) {
        self.add(["--perms", mode]);
        if let Some(bytes) = bytes {
            self.add(["--size".to_owned(), bytes.to_string()]);
        }
        self.add(["--tmpfs", path]);
    }
}

//! A real `Postgres`, run by an ordinary user in a directory of its own below /tmp. Tests run in processes of their own
//! and share one: the first starts it, and it ends some seconds after the last.

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::FlockOperation;

/// A server that runs.
pub(crate) struct Postgres {
    dir: PathBuf,
    programs: PathBuf,
    /// Says that somebody uses the server; nothing when it is this test's own.
    shared: Option<File>,
    /// The words that bring its commands to a machine of its own, if it has one; the others call it there.
    machine: Option<Vec<String>>,
}

/// Returns the directory of the programs, if `Postgres` is installed: beside `pg_ctl` on PATH, or where Debian has it.
pub(crate) fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    places.into_iter().find(|place| place.join("pg_ctl").exists() && place.join("initdb").exists())
}

/// Returns the server that all tests share, which stays until the test's process ends.
pub(crate) fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(find_or_start)
}

fn find_or_start() -> Postgres {
    let programs = programs()
        .expect("scripts/prerequisites test installs postgresql; on_postgres:: is left out without");
    let here = std::env::current_exe().unwrap();
    let dir =
        Path::new("/tmp").join(format!("paas-postgres-{:x}", sum(&here.parent().unwrap().to_string_lossy())));
    std::fs::create_dir_all(&dir).unwrap();
    let users = File::options().create(true).append(true).open(dir.join("users")).unwrap();
    let start = File::options().create(true).append(true).open(dir.join("start")).unwrap();
    rustix::fs::flock(&start, FlockOperation::LockExclusive).unwrap();
    rustix::fs::flock(&users, FlockOperation::LockShared).unwrap();
    let postgres = Postgres { dir, programs, shared: Some(users), machine: None };
    if !postgres.answers() {
        postgres.make();
        postgres.start();
        postgres.end_when_unused();
    }
    postgres
}

impl Postgres {
    /// Starts one of this test's own in the directory.
    pub(crate) fn own(dir: &Path) -> Self {
        Self::begin(dir, None)
    }

    /// Starts one of this test's own on another machine: the words bring its commands there.
    #[allow(dead_code, reason = "the tests that have several machines are those of the server")]
    pub(crate) fn on_machine(dir: &Path, words: Vec<String>) -> Self {
        Self::begin(dir, Some(words))
    }

    fn begin(dir: &Path, machine: Option<Vec<String>>) -> Self {
        let programs = programs().expect("postgresql is installed");
        let postgres = Self { dir: dir.to_owned(), programs, shared: None, machine };
        postgres.make();
        postgres.start();
        postgres
    }

    /// Returns the URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=paas", self.dir.display())
    }

    /// Returns the URL by which other machines call the one that it is on.
    #[allow(dead_code, reason = "the tests that have several machines are those of the server")]
    pub(crate) fn url_at(address: Ipv4Addr, database: &str) -> String {
        format!("postgres://paas@{address}/{database}?sslmode=disable")
    }

    /// Starts it after a stop.
    pub(crate) fn start(&self) {
        // Without a network unless others are to call, and as fast as can be: what it survives is not what is tested.
        let listen = if self.machine.is_some() { "*" } else { "" };
        let options = format!(
            "-c listen_addresses={listen} -c unix_socket_directories={} -c max_connections=300 -c fsync=off \
             -c autovacuum=off",
            self.dir.display()
        );
        let (data, log) = (self.dir.join("data"), self.dir.join("log"));
        self.run("pg_ctl", &["-w", "-D", text(&data), "-l", text(&log), "-o", &options, "start"]);
    }

    /// Stops it as a restart does: connections are ended at once.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["-w", "-D", text(&self.dir.join("data")), "-m", "fast", "stop"]);
    }

    fn answers(&self) -> bool {
        UnixStream::connect(self.dir.join(".s.PGSQL.5432")).is_ok()
    }

    fn make(&self) {
        let data = self.dir.join("data");
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir(&data).unwrap();
        if rustix::process::geteuid().is_root() {
            for path in [&self.dir, &data] {
                let status = Command::new("chown").arg(user()).arg(path).status();
                assert!(status.unwrap().success(), "{}", path.display());
            }
        }
        let arguments =
            ["-D", text(&data), "-U", "paas", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"];
        self.run("initdb", &arguments);
        if self.machine.is_some() {
            let mut rules = File::options().append(true).open(data.join("pg_hba.conf")).unwrap();
            writeln!(rules, "host all all all trust").unwrap();
        }
    }

    /// Leaves behind what ends the server when nobody has used it for a while.
    fn end_when_unused(&self) {
        let stop = format!("{} {}/pg_ctl", prefix().join(" "), self.programs.display());
        let script = format!(
            "cd {}; while sleep 10; do flock -x 9; \
             if flock -n -x users true; then {stop} -D data -m immediate stop; rm -rf data; exit; fi; \
             flock -u 9; done 9>start",
            self.dir.display()
        );
        let mut command = Command::new("setsid");
        command.args(["--fork", "sh", "-c", &script]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
    }

    /// Runs one of its programs as an ordinary user, which it insists on.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut line: Vec<String> = self.machine.clone().unwrap_or_default();
        line.extend(prefix());
        line.push(text(&program).to_owned());
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        // Not a pipe: the server would hold it open.
        let said = self.dir.join("said");
        let file = File::create(&said).unwrap();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).current_dir("/").stdin(Stdio::null());
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        assert!(status.success(), "{line:?}: {}", std::fs::read_to_string(&said).unwrap_or_default());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.shared.is_none() && self.answers() {
            self.stop();
        }
    }
}

fn prefix() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    ["setpriv", "--reuid", user(), "--regid", user(), "--clear-groups", "--"].map(str::to_owned).to_vec()
}

/// Its own user where its package made one.
fn user() -> &'static str {
    let known = Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.is_ok_and(|status| status.success()) { "postgres" } else { "nobody" }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// FNV-1a: another for each build directory.
fn sum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

//! A real server on a data directory of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fail_point::Step;

use crate::app::TestApp;
use crate::place::{Place, own_pid};
use crate::{address, wait};

/// A running server. Dropped, it is stopped with everything it runs.
pub(crate) struct TestPlatform {
    pub(crate) data: PathBuf,
    pub(crate) api: SocketAddr,
    pub(crate) router: SocketAddr,
    pub(crate) token: String,
    dir: tempfile::TempDir,
    server: Child,
    options: Vec<String>,
    program: PathBuf,
    place: Place,
}

impl TestPlatform {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("paas-story-").tempdir().unwrap();
        let data = dir.path().join("data");
        Self::start_at(dir, data, options, (Place::default(), Ipv4Addr::LOCALHOST))
    }

    /// Starts it on another machine.
    pub(crate) fn start_on(data: &Path, options: &[&str], place: Place, address: Ipv4Addr) -> Self {
        let dir = tempfile::Builder::new().prefix("paas-story-").tempdir().unwrap();
        Self::start_at(dir, data.to_owned(), options, (place, address))
    }

    /// Starts it with its data in a directory of somebody else's.
    pub(crate) fn start_in(data: &Path, options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("paas-story-").tempdir().unwrap();
        Self::start_at(dir, data.join("data"), options, (Place::default(), Ipv4Addr::LOCALHOST))
    }

    /// Starts one of several servers on one database and one data directory.
    pub(crate) fn start_sharing(data: &Path, (name, url): (&str, &str), options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("paas-story-").tempdir().unwrap();
        let sharing = ["--server-name", name, "--database-url", url];
        let options: Vec<&str> = options.iter().chain(&sharing).copied().collect();
        Self::start_at(dir, data.to_owned(), &options, (Place::default(), Ipv4Addr::LOCALHOST))
    }

    fn start_at(
        dir: tempfile::TempDir,
        data: PathBuf,
        options: &[&str],
        (place, address): (Place, Ipv4Addr),
    ) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let program = binary("paasd");
        let [listen, router] = [(); 2].map(|()| format!("{address}:{}", address::reserve().port()));
        let mut command = serve((&place, &program), &data, &options, (&listen, &router));
        let server = place.spawn(&mut command).unwrap();
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut platform = Self {
            data,
            api: unspecified,
            router: unspecified,
            token: String::new(),
            dir,
            server,
            options,
            program,
            place,
        };
        platform.wait_until_ready();
        platform
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let file = self.own_dir().join("run/addresses.json");
        let pid = self.server.id();
        let server = &mut self.server;
        let log = log_file(&self.data, &self.options);
        let (api, router) = wait::until("the server", || {
            if let Some(status) = server.try_wait().unwrap() {
                panic!(
                    "the server ended with {status}: {}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            let text = std::fs::read_to_string(&file).ok()?;
            let json: serde_json::Value = serde_json::from_str(&text).ok()?;
            if json["pid"] != own_pid(pid)? {
                return None;
            }
            Some((json["listen"].as_str()?.parse().ok()?, json["router"].as_str()?.parse().ok()?))
        });
        (self.api, self.router) = (api, router);
        self.token = std::fs::read_to_string(self.data.join("admin-token")).unwrap().trim().to_owned();
    }

    /// Ends the server as `kill -9` does, or in order, and starts it again at the same addresses.
    pub(crate) fn restart(&mut self, orderly: bool) {
        self.end_server(orderly);
        self.start_again();
    }

    /// Ends the server and everything it runs.
    pub(crate) fn stop(&mut self) {
        let stopped = self.place.output(&mut self.stop_command()).unwrap();
        assert!(stopped.status.success(), "{stopped:?}");
        self.server.wait().unwrap();
    }

    /// Starts an ended server at the same addresses.
    pub(crate) fn start_again(&mut self) {
        self.begin_again();
        self.wait_until_ready();
    }

    /// Starts an ended server at the same addresses, which may not be ready yet. Returns its process.
    pub(crate) fn begin_again(&mut self) -> u32 {
        let addresses = (self.api.to_string(), self.router.to_string());
        let mut serve = self.serve(&self.options, (&addresses.0, &addresses.1));
        self.server = self.place.spawn(&mut serve).unwrap();
        self.server.id()
    }

    /// Starts an ended server at the same addresses; it dies when it comes to a step, which may be before it is ready.
    #[cfg(debug_assertions)]
    pub(crate) fn start_doomed(&mut self, step: Step) {
        let addresses = (self.api.to_string(), self.router.to_string());
        let mut serve = self.serve(&self.options, (&addresses.0, &addresses.1));
        self.server = self.place.spawn(serve.env("PAASD_FAIL_POINT", step.name())).unwrap();
    }

    /// Waits until a doomed server has died.
    #[track_caller]
    pub(crate) fn wait_for_death(&mut self, step: Step) {
        let what = format!("the server to die at {step:?}");
        let status = wait::until(&what, || self.server.try_wait().unwrap());
        assert_eq!(status.signal(), Some(9), "{step:?}: {status}");
    }

    fn serve(&self, options: &[String], addresses: (&str, &str)) -> Command {
        serve((&self.place, &self.program), &self.data, options, addresses)
    }

    pub(crate) fn server_pid(&self) -> u32 {
        self.server.id()
    }

    /// Puts a new file of the program where this server's was, as an upgrade does. The next server is started from it.
    pub(crate) fn install(&mut self) {
        let (fresh, program) = (self.scratch().join("paasd.new"), self.scratch().join("paasd"));
        std::fs::copy(binary("paasd"), &fresh).unwrap();
        std::fs::rename(&fresh, &program).unwrap();
        self.program = program;
    }

    /// Starts a server that takes the place of the one that runs, and waits for the end of that.
    pub(crate) fn replace(&mut self) {
        self.start_successor().wait().unwrap();
    }

    /// Starts a server that takes the place of the one that runs, and returns that one, which is about to end.
    pub(crate) fn start_successor(&mut self) -> Child {
        let options: Vec<String> = self.options.iter().cloned().chain(["--replace".to_owned()]).collect();
        let addresses = (self.api.to_string(), self.router.to_string());
        let mut serve = self.serve(&options, (&addresses.0, &addresses.1));
        let successor = self.place.spawn(&mut serve).unwrap();
        let predecessor = std::mem::replace(&mut self.server, successor);
        self.wait_until_ready();
        predecessor
    }

    /// Ends the server as `kill -9` does, or in order, and leaves what it runs.
    pub(crate) fn end_server(&mut self, orderly: bool) {
        if orderly {
            let pid = self.server.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        } else {
            self.server.kill().unwrap();
        }
        self.server.wait().unwrap();
    }

    /// Makes an app with an empty repository of its own.
    pub(crate) fn app(&self, name: &str) -> TestApp<'_> {
        TestApp::create(self, name)
    }

    /// Returns an app that was made before.
    pub(crate) fn known_app(&self, name: &str) -> TestApp<'_> {
        TestApp { platform: self, name: name.to_owned(), dir: self.scratch().join(name) }
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Returns a command with nothing of this machine's user in its environment.
    pub(crate) fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binaries().display());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.scratch())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("PAASCTL_URL", self.url())
            .env("PAASCTL_TOKEN", &self.token)
            .env("COLUMNS", "100")
            .current_dir(dir)
            .stdin(Stdio::null());
        command
    }

    /// Asks the API; returns status and JSON.
    pub(crate) fn api(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<serde_json::Value>,
    ) -> (u16, serde_json::Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url()))
            .header("Authorization", format!("Bearer {token}"))
            .header("Accept", "application/vnd.heroku+json; version=3")
            .header("Content-Type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default())
            .unwrap();
        let mut answer = agent.run(request).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))
    }

    /// Returns the directory of what is this server's own.
    pub(crate) fn own_dir(&self) -> PathBuf {
        match given(&self.options, "--server-name") {
            Some(name) => self.data.join("servers").join(name),
            None => self.data.clone(),
        }
    }

    fn stop_command(&self) -> Command {
        let mut command = self.place.command(&binary("paasd"));
        command.args(["stop", "--data-dir"]).arg(&self.data);
        for name in ["--server-name", "--database-url"] {
            command
                .args(given(&self.options, name).map(|value| [name, value.as_str()]).into_iter().flatten());
        }
        command
    }

    pub(crate) fn server_log(&self) -> String {
        std::fs::read_to_string(log_file(&self.data, &self.options)).unwrap_or_default()
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let stopped = self.place.output(&mut self.stop_command());
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.server_log());
            eprintln!("--- stop: {stopped:?}");
        }
    }
}

/// Returns the value of an option.
fn given<'a>(options: &'a [String], name: &str) -> Option<&'a String> {
    options.iter().skip_while(|option| *option != name).nth(1)
}

/// Returns where a server's own words go: beside its data, by its name if it shares these.
fn log_file(data: &Path, options: &[String]) -> PathBuf {
    let name = given(options, "--server-name");
    data.with_extension(name.map_or_else(|| "log".to_owned(), |name| format!("{name}.log")))
}

fn serve(
    (place, program): (&Place, &Path),
    data: &Path,
    options: &[String],
    (listen, router): (&str, &str),
) -> Command {
    std::fs::create_dir_all(data).unwrap();
    let log = log_file(data, options);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = place.command(program);
    command
        .args(["serve", "--listen", listen, "--router-listen", router, "--reserve-mb", "100", "--data-dir"])
        .arg(data)
        .args(["--engine", &engine()]);
    // `make test` puts uv there; a test that is run alone should find it too.
    let uv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/uv");
    if std::env::var_os("PAASD_UV").is_none() && uv.exists() {
        command.env("PAASD_UV", uv);
    }
    for option in options {
        match option.strip_prefix("env:").and_then(|variable| variable.split_once('=')) {
            Some((name, value)) => command.env(name, value),
            None => command.arg(option),
        };
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command
}

/// Returns how replicas are run: `PAASD_TEST_ENGINE` says so, for a run of the stories with another engine.
pub(crate) fn engine() -> String {
    std::env::var("PAASD_TEST_ENGINE").unwrap_or_else(|_| "sandbox".to_owned())
}

/// The binaries are built before the tests run (`make test`).
pub(crate) fn binaries() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_paasd")).parent().unwrap().to_owned()
}

pub(crate) fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(
        path.exists(),
        "{} is not built; run `cargo build --workspace --bins` or `make test`",
        path.display()
    );
    path
}

//! A server whose hosts come from a simulated cloud.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::region::Simcloud;

/// One server, its data, and where its API is. Dropped, it ends.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    cloud: String,
    /// More of its environment.
    settings: Vec<(String, String)>,
    process: Child,
}

impl Server {
    /// Starts it; it may not be ready yet.
    pub(crate) fn start(sky: &Simcloud) -> Self {
        Self::start_with(sky, &[])
    }

    /// Starts it with these variables in its environment.
    pub(crate) fn start_with(sky: &Simcloud, settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("paas-fleet-").tempdir().unwrap();
        // Nobody signs with its key: without machines nobody joins.
        let certificate = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nobody"];
        let mut made = Command::new("openssl");
        made.args(certificate).args(["-keyout", "/dev/null", "-out"]).arg(dir.path().join("data.pem"));
        assert!(made.output().unwrap().status.success());
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut command = serve(&dir.path().join("data"), &sky.url);
        let process = command.envs(settings.clone()).spawn().unwrap();
        Self { dir, cloud: sky.url.clone(), settings, process }
    }

    /// Ends it as `kill -9` does, and starts another on its data.
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts another on the data of one that was killed.
    pub(crate) fn start_again(&mut self) {
        let mut command = serve(&self.data(), &self.cloud);
        self.process = command.envs(self.settings.clone()).spawn().unwrap();
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Asks the API; nothing while it does not answer.
    pub(crate) fn get(&mut self, path: &str) -> Option<Value> {
        self.ask("GET", path, String::new())
    }

    /// Tells the API something, as soon as it answers.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        until(path, || self.ask(method, path, body.clone()));
    }

    /// Begins to push an app that needs no build.
    pub(crate) fn push(&mut self, app: &str) -> Child {
        let dir = self.dir.path().join(app);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("Procfile"), "web: sleep 1d\n").unwrap();
        let (address, token) = until("the server", || self.address());
        let script = format!(
            "git init -q -b main && git add -A && git -c user.name=a -c user.email=a@example.org commit -qm first && \
             git push http://x:{token}@{address}/{app}.git main"
        );
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &script])
            .current_dir(dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.dir.path());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Returns where the API is, and an administrator's token, once there is one.
    fn address(&self) -> Option<(String, String)> {
        let text = std::fs::read_to_string(self.data().join("run/addresses.json")).ok()?;
        let addresses: Value = serde_json::from_str(&text).ok()?;
        let token = std::fs::read_to_string(self.data().join("admin-token")).ok()?;
        Some((addresses["listen"].as_str()?.to_owned(), token.trim().to_owned()))
    }

    fn ask(&mut self, method: &str, path: &str, body: String) -> Option<Value> {
        if let Some(status) = self.process.try_wait().unwrap() {
            let log = std::fs::read_to_string(self.dir.path().join("data.log")).unwrap_or_default();
            panic!("the server ended with {status}: {log}");
        }
        let (address, token) = self.address()?;
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header("authorization", format!("Bearer {token}"));
        ureq::run(request.body(body).ok()?).ok()?.body_mut().read_json().ok()
    }

    /// Returns the instances that it knows: in which zone, and what each is doing.
    pub(crate) fn instances(&mut self) -> Vec<(String, String)> {
        let hosts = self.get("/hosts").unwrap_or_default();
        let all = hosts.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let instances = all.iter().map(|host| &host["instance"]).filter(|instance| !instance.is_null());
        let mut instances: Vec<_> =
            instances.map(|instance| (text(&instance["zone"]), text(&instance["doing"]))).collect();
        instances.sort();
        instances
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(data: &std::path::Path, cloud: &str) -> Command {
    let log = data.with_extension("log");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_paasd"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--router-listen", "127.0.0.1:0", "--agent-listen"])
        .args([
            "127.0.0.1:0",
            "--reserve-mb",
            "100",
            "--engine",
            "sandbox",
            "--fleet",
            "aws",
            "--aws-name",
            "prod",
        ])
        .arg("--data-dir")
        .arg(data)
        .env("PAASD_AWS_IDENTITY_CERTIFICATES", data.with_extension("pem"))
        .env("AWS_ENDPOINT_URL", cloud)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIASIMULATION000000")
        .env("AWS_SECRET_ACCESS_KEY", "simulated")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

/// Waits until a condition gives something, or fails the test after two minutes.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited two minutes for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

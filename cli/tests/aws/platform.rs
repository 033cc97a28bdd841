//! A whole platform in the simulated region: `paasd` on a machine of its network, hosts that it starts, and an app.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Cloud, IMAGE, texts};

/// Answers with its name and its release; one line of it is what a deploy changes.
const WEB: &str = r#"import os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Visit(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = f"{os.environ['DYNO']} GREETING".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *words):
        pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("0.0.0.0", int(os.environ["PORT"])), Visit)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"#;

/// The name under which visitors ask for the app.
pub(crate) const HOST: &str = "shop.apps.example.org";

/// The name under which developers come to the control plane, through the load balancer.
const API: &str = "api.apps.example.org";

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(360);

pub(crate) struct Platform {
    pub(crate) cloud: Cloud,
    dir: tempfile::TempDir,
    url: String,
    token: String,
    /// What machines start from, at first.
    image: String,
    /// Where the load balancer is entered: address and zone.
    pub(crate) entrances: Vec<(String, String)>,
}

impl Platform {
    /// Makes the set-up, an image with `paasd` in it, and starts the control plane; nothing where it cannot be tried.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs();
        if !programs.join("paasd").is_file() {
            eprintln!(
                "SKIPPED: there is no paasd beside paasctl; `cargo build -p paasd --features aws` makes it"
            );
            return None;
        }
        let cloud = Cloud::start_with_machines_that_see(Some(programs))?;
        cloud.tell("times", &json!({ "health_scale": 0.2, "drain_scale": 0.1 }));
        let image = image(&cloud, "with paasd");
        cloud.ok(&[&["aws:up", "--yes"], &set_up(&image)[..]].concat());
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        let entrance = |entrance: &Value| (text(&entrance["address"]), text(&entrance["zone"]));
        let balancers = cloud.ask("lbs");
        let entrances = balancers.as_object().unwrap().values().next().unwrap()["addresses"].clone();
        let entrances = entrances.as_array().unwrap().iter().map(entrance).collect();
        let (dir, url, token) = (tempfile::tempdir().unwrap(), String::new(), String::new());
        let mut platform = Self { cloud, dir, url, token, image, entrances };
        platform.let_in();
        platform.start_control();
        platform.name_control();
        until("three hosts to join", || (platform.hosts("ready").len() == 4).then_some(()));
        until("a way in for developers", || platform.log_in().then_some(()));
        Some(platform)
    }

    /// Makes the app, and so many replicas of it.
    pub(crate) fn open_shop(&self, replicas: usize) {
        self.paasctl(&["apps:create", "shop", "--no-remote"]);
        let (deployed, told) = self.push("first");
        assert!(deployed, "{told}");
        self.paasctl(&["ps:scale", &format!("web={replicas}"), "-a", "shop"]);
    }

    /// Has hosts start from another image, with another `paasd` and the app's slug in it; returns it.
    pub(crate) fn bake(&self) -> String {
        let paasd = another_paasd(self.dir.path());
        let paasd = paasd.to_str().unwrap();
        let words = ["aws:bake", "--name", "prod", "--image", IMAGE, "--warm", "shop", "--paasd", paasd];
        let told: Value =
            serde_json::from_str(&self.paasctl(&[&words[..], &["--yes", "--json"]].concat())).unwrap();
        told["image"].as_str().unwrap().to_owned()
    }

    /// Says on the simulated internet, in place of its DNS, where the control plane's name leads.
    fn name_control(&self) {
        let names: String = self.entrances.iter().map(|(address, _)| format!("{address} {API}\n")).collect();
        let file = self.dir.path().join("hosts");
        fs::write(&file, names).unwrap();
        let named = self.cloud.program("mount", &["--bind", file.to_str().unwrap(), "/etc/hosts"]).status();
        assert!(named.unwrap().success());
    }

    /// Logs in through the load balancer.
    pub(crate) fn log_in(&self) -> bool {
        let url = format!("http://{API}");
        let login = self.cloud.run(&["login", "--url", &url, "--token", &self.token]);
        login.status.success()
    }

    /// Returns what a visitor of the app is shown, with the status of the answer behind it.
    pub(crate) fn page(&self) -> String {
        self.page_of(HOST)
    }

    /// The same of another name.
    pub(crate) fn page_of(&self, host: &str) -> String {
        let (url, name) = (format!("http://{}", self.entrances[0].0), format!("Host: {host}"));
        let words = ["--silent", "--max-time", "10", "--write-out", " %{http_code}", "--header", &name, &url];
        let output = self.cloud.program("curl", &words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the control plane as an administrator does.
    pub(crate) fn start_control(&mut self) {
        let told = self.cloud.ok(&self.server(&["--json"]).iter().map(String::as_str).collect::<Vec<_>>());
        self.enter(&serde_json::from_str(&told).unwrap());
    }

    /// Returns the command that starts the control plane.
    pub(crate) fn server(&self, more: &[&str]) -> Vec<String> {
        let file = |name: &str, text: &str| {
            let path = self.dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("identity.pem", self.cloud.ask("identity")["rsa2048"].as_str().unwrap());
        // A machine here has its disk in memory.
        let config = file("paasd.toml", "reserve-mb = 50\n");
        let words = ["aws:server", "--name", "prod", "--domain", "apps.example.org", "--yes"];
        let files = ["--image", &self.image, "--identity-certificates", &certificate, "--config", &config];
        words.iter().chain(&files).chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// Calls the control plane that was started from here on.
    pub(crate) fn enter(&mut self, told: &Value) {
        self.token = fs::read_to_string(told["token_file"].as_str().unwrap()).unwrap().trim().to_owned();
        let form = [("Action", "DescribeInstances"), ("InstanceId.1", told["instance"].as_str().unwrap())];
        let shown = self.cloud.call("ec2", &form);
        self.url = format!("{}:5000", texts(&shown, "ipAddress").remove(0));
        until("the control plane to answer", || {
            self.command(&["whoami"]).output().unwrap().status.success().then_some(())
        });
    }

    /// Returns the options with which the set-up was made.
    pub(crate) fn set_up(&self) -> [&str; 6] {
        set_up(&self.image)
    }

    /// Lets the test in: it calls the API itself, and not through the load balancer.
    pub(crate) fn let_in(&self) {
        let form = [
            ("Action", "DescribeSecurityGroups"),
            ("Filter.1.Name", "group-name"),
            ("Filter.1.Value.1", "paas-prod-control"),
        ];
        let group = texts(&self.cloud.call("ec2", &form), "groupId").remove(0);
        let open = [
            ("Action", "AuthorizeSecurityGroupIngress"),
            ("GroupId", &group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "5000"),
            ("IpPermissions.1.ToPort", "5000"),
            ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ];
        self.cloud.call("ec2", &open);
    }

    /// Kills the control plane; it is started again a second later.
    pub(crate) fn kill_control(&self) {
        let process = self.cloud.process_of("/usr/local/bin/paasd serve --config");
        let process = process.expect("there is no control plane");
        assert!(Command::new("kill").args(["-9", &process]).status().unwrap().success());
    }

    /// Returns the command, logged in.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.cloud.command(arguments);
        command.env("PAASCTL_URL", format!("http://{}", self.url)).env("PAASCTL_TOKEN", &self.token);
        command
    }

    /// Runs a command that must succeed; returns what it printed.
    #[track_caller]
    pub(crate) fn paasctl(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let (told, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {told}{error}");
        told.into_owned()
    }

    /// Returns what a command shows; nothing while nobody answers.
    pub(crate) fn shown(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Tells whether a release serves; not while nobody answers.
    pub(crate) fn serves(&self, version: &str) -> bool {
        let output = self.command(&["releases", "-a", "shop"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        told.lines().any(|line| line.starts_with(version) && line.contains("current"))
    }

    /// Tells whether a release was made.
    pub(crate) fn has(&self, version: &str) -> bool {
        let output = self.command(&["releases", "-a", "shop"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(version)
    }

    /// Returns the names of the hosts in a state, the control plane's own included.
    pub(crate) fn hosts(&self, state: &str) -> Vec<String> {
        let named = self.all_hosts().into_iter().filter(|(_, is)| is == state);
        named.map(|(name, _)| name).collect()
    }

    /// Returns all hosts, and instances that are none yet or no more, with their states.
    pub(crate) fn all_hosts(&self) -> Vec<(String, String)> {
        let hosts = self.shown(&["hosts"]);
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        let hosts = hosts.as_array().cloned().unwrap_or_default();
        hosts.iter().map(|host| (text(&host["name"]), text(&host["state"]))).collect()
    }

    /// Waits until people are told this, where they look for what happens to the fleet.
    #[track_caller]
    pub(crate) fn tells(&self, part: &str) {
        let says = |event: &Value| event["message"].as_str().is_some_and(|says| says.contains(part));
        until(part, || self.shown(&["aws:events"]).as_array()?.iter().any(says).then_some(()));
    }

    /// Returns where the app's replicas run, one entry for each that is healthy.
    pub(crate) fn replicas(&self) -> Vec<String> {
        let replicas = self.shown(&["ps", "-a", "shop"]);
        let replicas = replicas.as_array().cloned().unwrap_or_default();
        let healthy = replicas.iter().filter(|replica| replica["phase"] == "healthy");
        healthy.filter_map(|replica| Some(replica["host"].as_str()?.to_owned())).collect()
    }

    /// Pushes a change through the load balancer; returns whether it was deployed, and what the server said.
    pub(crate) fn push(&self, greeting: &str) -> (bool, String) {
        self.push_to("shop", greeting)
    }

    /// The same to another app.
    pub(crate) fn push_to(&self, name: &str, greeting: &str) -> (bool, String) {
        let app = self.dir.path().join(name);
        fs::create_dir_all(&app).unwrap();
        fs::write(app.join("Procfile"), "web: python3 server\n").unwrap();
        fs::write(app.join("server"), WEB.replace("GREETING", greeting)).unwrap();
        let remote = format!("http://x:{}@{API}/{name}.git", self.token);
        let script = format!(
            "cd {} && {{ [ -d .git ] || git init -q -b main; }} && git add -A && \
             git -c user.name=a -c user.email=a@example.org commit -qm '{greeting}' && git push {remote} main",
            app.display(),
        );
        let output = self.cloud.program("bash", &["-c", &script]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn set_up(image: &str) -> [&str; 6] {
    ["--name", "prod", "--image", image, "--zones", "us-east-1a,us-east-1b,us-east-1c"]
}

/// Where the programs are that are tried.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_paasctl")).parent().unwrap()
}

/// Returns the program that is tried, as small as it gets, unlike others by its last bytes.
pub(crate) fn another_paasd(dir: &Path) -> PathBuf {
    let path = dir.join("paasd");
    assert!(
        Command::new("strip").arg("-o").arg(&path).arg(programs().join("paasd")).status().unwrap().success()
    );
    fs::File::options().append(true).open(&path).unwrap().write_all(b"another").unwrap();
    path
}

/// Returns an image in which the programs are where hosts have them.
pub(crate) fn image(cloud: &Cloud, name: &str) -> String {
    let programs = programs().display();
    let script = format!(
        "#!/bin/bash\nmkdir -p /opt/paas/bin\nln -s {programs}/paasd /opt/paas/bin/\necho it is done\n"
    );
    let id = launch(cloud, IMAGE, &script, &[]);
    cloud.console(&id, "it is done");
    let form = [("Action", "CreateImage"), ("InstanceId", &id), ("Name", name)];
    let image = texts(&cloud.call("ec2", &form), "imageId").remove(0);
    until("the image to be made", || {
        let shown = cloud.call("ec2", &[("Action", "DescribeImages"), ("ImageId.1", &image)]);
        (texts(&shown, "imageState") == ["available"]).then_some(())
    });
    cloud.call("ec2", &[("Action", "TerminateInstances"), ("InstanceId.1", &id)]);
    image
}

fn launch(cloud: &Cloud, image: &str, script: &str, more: &[(&str, &str)]) -> String {
    let mut encode =
        Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    encode.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let encoded = String::from_utf8(encode.wait_with_output().unwrap().stdout).unwrap();
    let mut form = vec![
        ("Action", "RunInstances"),
        ("ImageId", image),
        ("InstanceType", "t3.medium"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("UserData", &encoded),
    ];
    form.extend(more);
    texts(&cloud.call("ec2", &form), "instanceId").remove(0)
}

/// Waits until a condition gives something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

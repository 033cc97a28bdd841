//! An app with its git repository, as its developer has it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::platform::{TestPlatform, binary};
use crate::visitor::{self, Answer, Crowd};
use crate::wait;

/// Answers with the file `greeting` and some of its environment; brings its own executable, so that a push is quick.
const SERVER: &str = r#"#!/usr/bin/python3
import http.server, os, signal, socket, sys, threading, time
greeting = open("greeting").read().strip() if os.path.exists("greeting") else "hello"
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(float(self.path.split("=")[1]))
        text = os.environ.get(self.path[5:], "(unset)") if self.path.startswith("/env/") else greeting
        if self.path.startswith("/hex/"):
            text = os.environb.get(self.path[5:].encode(), b"").hex()
        if self.path == "/me":
            text = os.environ["DYNO"]
        body = text.encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128
server = Server(("", int(os.environ["PORT"])), Handler)
def stop(*_):
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
print("listening, greeting is", greeting, flush=True)
server.serve_forever()
server.server_close()
"#;

/// An app and the working copy it is pushed from.
pub(crate) struct TestApp<'a> {
    pub(crate) platform: &'a TestPlatform,
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
}

/// What a push came to.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

impl<'a> TestApp<'a> {
    pub(crate) fn create(platform: &'a TestPlatform, name: &str) -> Self {
        let dir = platform.scratch().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let app = Self { platform, name: name.to_owned(), dir };
        app.git(&["init", "-q", "-b", "main"]);
        app.git(&["config", "user.name", "Ada"]);
        app.git(&["config", "user.email", "ada@example.org"]);
        app.paasctl(&["apps:create", name]);
        app
    }

    /// Makes the app answer with a greeting, and commits that.
    pub(crate) fn greets(&self, greeting: &str) -> &Self {
        self.write("bin/web", SERVER).executable("bin/web");
        self.write("Procfile", "web: bin/web\nworker: sleep 1000\n");
        self.write("greeting", greeting).commit(&format!("Greet with {greeting}"))
    }

    /// Changes nothing but the greeting, and commits what else was changed before.
    pub(crate) fn greeting(&self, greeting: &str) -> &Self {
        self.write("greeting", greeting).commit(&format!("Greet with {greeting}"))
    }

    pub(crate) fn write(&self, path: &str, content: &str) -> &Self {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn executable(&self, path: &str) -> &Self {
        std::fs::set_permissions(self.dir.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    pub(crate) fn commit(&self, message: &str) -> &Self {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self
    }

    /// Runs git and fails the test if it fails.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.git_command().args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn git_command(&self) -> Command {
        self.platform.command(Path::new("git"), &self.dir)
    }

    pub(crate) fn push(&self) -> Pushed {
        self.push_with(&["push", "paas", "main"])
    }

    pub(crate) fn push_with(&self, arguments: &[&str]) -> Pushed {
        let output = self.git_command().args(arguments).output().unwrap();
        Pushed { ok: output.status.success(), text: text(&output) }
    }

    /// Pushes and fails the test unless the commit serves.
    #[track_caller]
    pub(crate) fn deploy(&self) -> String {
        let pushed = self.push();
        assert!(pushed.ok, "the push failed:\n{}\n{}", pushed.text, self.platform.server_log());
        pushed.text
    }

    /// Starts a push and leaves it running.
    pub(crate) fn push_in_background(&self) -> std::process::Child {
        let mut command = self.git_command();
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(["push", "paas", "main"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs paasctl for this app, fails the test if it fails, and returns its standard output.
    #[track_caller]
    pub(crate) fn paasctl(&self, arguments: &[&str]) -> String {
        let output = self.try_paasctl(arguments);
        assert!(output.status.success(), "paasctl {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_paasctl(&self, arguments: &[&str]) -> Output {
        self.platform.command(&binary("paasctl"), &self.dir).args(arguments).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let text = self.paasctl(&arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.localhost", self.name)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        visitor::get(self.platform.router, &self.host(), path).unwrap()
    }

    /// Visitors who keep coming.
    pub(crate) fn crowd(&self) -> Crowd {
        Crowd::start(self.platform.router, &self.host())
    }

    /// Waits until the app's log has a line with this text.
    pub(crate) fn wait_for_log(&self, part: &str) -> String {
        wait::until(&format!("a log line with `{part}`"), || {
            let log = self.paasctl(&["logs", "-n", "500"]);
            log.lines().find(|line| line.contains(part)).map(ToOwned::to_owned)
        })
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

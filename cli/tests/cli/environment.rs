//! Where a test runs: a home of its own, nothing of this machine's environment, a fixed clock and width.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::server::TestServer;

/// The token of all tests; no output may hold it.
pub(crate) const TOKEN: &str = "t0ken-that-nobody-may-see";

/// A place to run commands in.
pub(crate) struct TestEnvironment {
    pub(crate) server: TestServer,
    dir: tempfile::TempDir,
}

impl TestEnvironment {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        Self { server: TestServer::start(), dir }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join(".config/paasctl/config.toml")
    }

    /// Returns a command without server and token.
    pub(crate) fn bare(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("COLUMNS", "80")
            .env("PAASCTL_NOW", "2026-01-05T12:00:00Z")
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(env!("CARGO_BIN_EXE_paasctl"));
        command.env("PAASCTL_URL", self.server.url()).env("PAASCTL_TOKEN", TOKEN).args(arguments);
        command
    }

    /// Runs it and returns all that a user sees: stdout, then stderr, then the exit status unless it is 0.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.shown(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> String {
        self.feed(self.command(arguments), input)
    }

    pub(crate) fn feed(&self, mut command: Command, input: &str) -> String {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that refuses its arguments has ended before it reads.
        match child.stdin.take().unwrap().write_all(input.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => panic!("{error}"),
            _ => {}
        }
        self.shown(&child.wait_with_output().unwrap())
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.shown(&self.bare("git").args(arguments).output().unwrap())
    }

    /// Returns the output with the server's address and the folders of this run replaced.
    pub(crate) fn shown(&self, output: &Output) -> String {
        let mut text = String::from_utf8(output.stdout.clone()).unwrap();
        let status = String::from_utf8(output.stderr.clone()).unwrap();
        if !status.is_empty() {
            let _ = write!(text, "--- stderr\n{status}");
        }
        if output.status.code() != Some(0) {
            let _ = write!(text, "--- exit {:?}", output.status.code());
        }
        assert!(!text.contains(TOKEN), "the token was printed: {text}");
        text.replace(&self.server.url(), "http://SERVER")
            .replace(&self.dir.path().display().to_string(), "HOME")
    }
}

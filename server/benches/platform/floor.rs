//! The same work by hand: push to a bare repository, export, install with uv, start gunicorn, ask until it answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{address, visitor};

/// A directory that holds what a bare script would keep between two pushes.
pub(crate) struct Floor {
    dir: PathBuf,
    uv: PathBuf,
}

impl Floor {
    pub(crate) fn new(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        run(Command::new("git").args(["init", "-q", "--bare"]).arg(dir.join("repo.git")));
        let uv = std::env::var_os("PAASD_UV").map_or_else(|| PathBuf::from("uv"), PathBuf::from);
        Self { dir: dir.to_owned(), uv }
    }

    /// Pushes, installs, starts, and returns how long it took until the greeting came.
    pub(crate) fn push(&self, source: &Path, greeting: &str) -> Duration {
        let begun = Instant::now();
        run(Command::new("git")
            .arg("-C")
            .arg(source)
            .args(["push", "-q", "-f"])
            .arg(self.dir.join("repo.git"))
            .arg("main"));
        let exported = self.dir.join("app");
        let _ = std::fs::remove_dir_all(&exported);
        std::fs::create_dir_all(&exported).unwrap();
        let archive = format!(
            "git -C '{}' archive main | tar -x -C '{}'",
            self.dir.join("repo.git").display(),
            exported.display()
        );
        run(Command::new("sh").args(["-c", &archive]));
        self.prepare(&exported);
        let (mut server, address) = self.start(&exported);
        wait_for(address, Some(greeting));
        let took = begun.elapsed();
        end(&mut server);
        took
    }

    /// Makes the virtual environment, and installs what has changed.
    pub(crate) fn prepare(&self, source: &Path) {
        let venv = self.dir.join("venv");
        if !venv.exists() {
            run(self.uv().args(["venv", "-q", "--python", "/usr/bin/python3"]).arg(&venv));
        }
        let wanted = std::fs::read(source.join("requirements.txt")).unwrap();
        let noted = self.dir.join("installed.txt");
        if std::fs::read(&noted).ok().as_ref() != Some(&wanted) {
            let python = venv.join("bin/python");
            run(self
                .uv()
                .args(["pip", "install", "-q", "--compile-bytecode", "--python"])
                .arg(python)
                .arg("-r")
                .arg(source.join("requirements.txt")));
            std::fs::write(noted, wanted).unwrap();
        }
    }

    /// Starts the app and returns how long its first answer took.
    pub(crate) fn boot(&self, source: &Path) -> Duration {
        let begun = Instant::now();
        let (mut server, address) = self.start(source);
        wait_for(address, None);
        let took = begun.elapsed();
        end(&mut server);
        took
    }

    fn start(&self, source: &Path) -> (Child, SocketAddr) {
        let address = address::reserve();
        let mut command = Command::new(self.dir.join("venv/bin/gunicorn"));
        command.args(["app:app", "--bind", &address.to_string()]).current_dir(source);
        (command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), address)
    }

    /// A cache of its own, so that the first push is a first push.
    fn uv(&self) -> Command {
        let mut command = Command::new(&self.uv);
        command.env("UV_CACHE_DIR", self.dir.join("cache"));
        command
    }
}

fn wait_for(address: SocketAddr, greeting: Option<&str>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        match visitor::get(address, "localhost", "/") {
            Ok(answer) if greeting.is_none_or(|greeting| answer.body == greeting) => return,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("the app does not answer at {address}");
}

fn end(server: &mut Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

//! The simulated region as a test of ours starts it: the process, where it answers, and what it is asked and told beside
//! AWS's own calls. Tests take this file in by its path.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A region of its own for a test. Dropped, it ends.
pub(crate) struct Simcloud {
    pub(crate) process: Child,
    /// Where it answers.
    pub(crate) url: String,
}

impl Simcloud {
    /// Starts one with more options of `simcloud serve`, where `make test` has put what it needs.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let mut dirs = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let root = dirs.find(|dir| dir.join("scripts/simcloud").is_file()).unwrap();
        if !root.join("target/tools/simcloud").is_dir() {
            eprintln!(
                "SKIPPED: there is no simulated AWS here; `scripts/prerequisites test` installs what it needs"
            );
            return None;
        }
        let mut process = Command::new(root.join("scripts/simcloud"))
            .arg("serve")
            .args(options)
            // Its machines inherit what it has, and do not see where this checkout may be.
            .env_remove("PAASD_UV")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url =
            ready.trim().strip_prefix("simcloud ready ").unwrap_or_else(|| panic!("{ready}")).to_owned();
        Some(Self { process, url })
    }

    /// Tells the region what to do to those who use it.
    pub(crate) fn tell(&self, what: &str, wish: &Value) -> Value {
        let mut answer = ureq::post(&format!("{}/_sim/{what}", self.url)).send_json(wish).unwrap();
        answer.body_mut().read_json().unwrap()
    }

    /// Asks what there is, or what happened.
    pub(crate) fn ask(&self, what: &str) -> Value {
        ureq::get(&format!("{}/_sim/{what}", self.url)).call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Simcloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! Where a command of a test runs: here, or on a machine of the test's own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A machine as a command sees it; by default the one that the test runs on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The words before a command that bring it there. It becomes the program: the process is the same.
    words: Vec<String>,
    /// The namespace of the machine's network, if it has another than the test.
    network: Option<PathBuf>,
    /// The namespace of the machine's processes, if these are not among the test's.
    processes: Option<PathBuf>,
}

impl Place {
    /// Returns a machine that has this network.
    pub(crate) fn on_network(network: PathBuf) -> Self {
        let words = vec!["nsenter".to_owned(), format!("--net={}", network.display()), "--".to_owned()];
        Self { words, network: Some(network), processes: None }
    }

    /// Adds namespaces that are its own, as options of `nsenter`, and that of its processes.
    pub(crate) fn with(mut self, namespaces: &[String], processes: PathBuf) -> Self {
        self.words.splice(1..1, namespaces.iter().cloned());
        Self { processes: Some(processes), ..self }
    }

    /// Returns a command that is to run there; it is started by the functions below.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let Some((first, rest)) = self.words.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }

    /// Starts a command of this place.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let _among = self.processes.as_deref().map(Among::enter).transpose()?;
        command.spawn()
    }

    /// Runs a command of this place to its end.
    pub(crate) fn output(&self, command: &mut Command) -> io::Result<Output> {
        let _among = self.processes.as_deref().map(Among::enter).transpose()?;
        command.output()
    }

    /// Has the calling thread call others from there from now on.
    pub(crate) fn call_from(&self) {
        if let Some(network) = &self.network {
            enter(network, LinkNameSpaceType::Network).unwrap();
        }
    }

    /// Returns the words before any other command that is to run there. They may stay beside it until it ends.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let mut words = self.words.clone();
        if let Some(processes) = &self.processes {
            words.insert(1, format!("--pid={}", processes.display()));
        }
        words
    }
}

/// While it is there, what this thread starts is among the processes of a machine: a process cannot move there later.
struct Among;

impl Among {
    fn enter(processes: &Path) -> io::Result<Self> {
        enter(processes, LinkNameSpaceType::ProcessID).map(|()| Self)
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        enter(Path::new("/proc/self/ns/pid"), LinkNameSpaceType::ProcessID).unwrap();
    }
}

fn enter(namespace: &Path, kind: LinkNameSpaceType) -> io::Result<()> {
    Ok(move_into_link_name_space(File::open(namespace)?.as_fd(), Some(kind))?)
}

/// Returns what a process is called by those around it, who may have numbers of their own.
pub(crate) fn own_pid(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}

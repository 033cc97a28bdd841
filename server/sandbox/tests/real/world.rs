//! A host to run sandboxes on, and a bound on every wait.

use std::{
    fs::File,
    io::Read,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use sandbox::{HostFacts, Identity, Privilege, Sandbox, log_pipe};

pub(crate) struct World {
    pub(crate) host: HostFacts,
    _directory: tempfile::TempDir,
}

/// What a finished program left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
}

impl Ended {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// A running program, killed with the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) output: File,
}

impl Running {
    pub(crate) fn pid(&self) -> sandbox::Pid {
        sandbox::Pid::from_child(&self.child)
    }

    /// Reads until the output holds `text`.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&read).contains(text) {
            assert_eq!(self.output.read(&mut byte).unwrap(), 1, "it ended before saying {text:?}");
            read.push(byte[0]);
        }
        String::from_utf8_lossy(&read).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { host: HostFacts::detect(directory.path()).unwrap(), _directory: directory }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.host.privilege == Privilege::Root
    }

    /// The user id as programs inside see it.
    pub(crate) fn uid(&self) -> u32 {
        if self.is_root() { identity().uid() } else { 1000 }
    }

    pub(crate) fn spawn(&self, sandbox: &Sandbox) -> Running {
        let (reader, writer) = log_pipe(self.host.privilege, sandbox.identity).unwrap();
        let mut command = sandbox.command(&self.host).unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        Running { child: command.spawn().unwrap(), output: File::from(reader) }
    }

    pub(crate) fn run(&self, sandbox: &Sandbox) -> Ended {
        let mut running = self.spawn(sandbox);
        let mut output = running.output.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut out = Vec::new();
            output.read_to_end(&mut out).map(|_| out)
        });
        let mut status = None;
        eventually("the program ends", || {
            status = running.child.try_wait().unwrap();
            status.is_some()
        });
        Ended { status: status.unwrap(), out: reader.join().unwrap().unwrap() }
    }

    /// Runs a script with standard output and error in one.
    pub(crate) fn bash(&self, script: &str) -> Ended {
        self.run(&bash(script))
    }
}

pub(crate) fn identity() -> Identity {
    Identity::new(234_567, 234_568).unwrap()
}

pub(crate) fn bash(script: &str) -> Sandbox {
    Sandbox::new(identity(), ["bash", "-c", script])
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

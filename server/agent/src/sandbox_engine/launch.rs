//! Starts one run: files first, then a supervisor that is told through a pipe what to run.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fail_point::Step;
use model::id::ReplicaId;
use model::replica::{ReplicaSpec, Wish};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use sandbox::Identity;
use tokio::task::spawn_blocking;

use super::supervised::Supervised;
use super::{Inner, SandboxEngine, lock};
use crate::engine::EngineError;
use crate::run::Run;
use crate::supervisor::{Order, STARTED};

/// How long a supervisor may take until the replica runs or it has said why not.
const START_TIME: Duration = Duration::from_secs(20);

impl SandboxEngine {
    /// Starts a run in the replica's turn.
    pub(super) async fn launch(&self, spec: &ReplicaSpec, port: Option<u16>) -> Result<(), EngineError> {
        let (id, dir) = (spec.id, self.0.dir(spec.id));
        if dir.is_held() {
            return self
                .blocking(move |inner| {
                    inner.find(id);
                    Ok(())
                })
                .await;
        }
        if spec.image.is_some() {
            let reason =
                "it is a container image, which hosts with the Docker engine run, and this host has another";
            return Err(EngineError::Impossible(reason.to_owned()));
        }
        self.clear(id).await?;
        dir.create().context("cannot make the replica's directory")?;
        dir.remove_run().context("cannot remove files of an earlier run")?;
        let (uid, engine) = (spec.uid, self.clone());
        // Beside the rest: each takes some milliseconds.
        let kept = spawn_blocking(move || port.map(|port| engine.0.kept_ports.keep(id, uid, port)));
        let app = self.lay_out(spec).await?;
        fail_point::reach(Step::ReplicaPrepared);
        kept.await.context("keeping a port was cut off")?;
        let order = self.0.order(spec, port, &app);
        self.blocking(move |inner| inner.supervise(id, &order)).await
    }

    async fn lay_out(&self, spec: &ReplicaSpec) -> Result<PathBuf, EngineError> {
        let image = self.0.trees.image(&spec.slug).await?;
        let identity = Identity::new(spec.uid, spec.uid)
            .ok_or_else(|| EngineError::Impossible("a replica never runs as root".to_owned()))?;
        let (id, slug) = (spec.id, spec.slug.clone());
        self.blocking(move |inner| inner.trees.lay_out((id, &slug), &image, identity, inner.dir(id).path()))
            .await
    }
}

impl Inner {
    fn order(&self, spec: &ReplicaSpec, port: Option<u16>, app: &Path) -> Order {
        let directory = self.dir(spec.id).path().to_owned();
        Order {
            run: Run::of(spec, port, app),
            memory_limit: directory.join("memory-limit"),
            directory,
            generated: self.host.generated.clone(),
            log: self.options.logs_dir.join(spec.app.to_string()),
            release: spec.release.0,
            cgroup: self.cgroup_name(spec.id),
            stop_seconds: spec.stop_seconds,
            once: matches!(spec.wish, Wish::Once { .. }),
        }
    }

    fn supervise(&self, id: ReplicaId, order: &Order) -> Result<()> {
        write_memory_limit(order).context("cannot write the memory limit")?;
        let mut child = self.spawn(&order.directory)?;
        let pid = Pid::from_child(&child);
        // Nobody has waited for it, so the id is still its own.
        let supervised = Supervised::of_child(pid).context("cannot take hold of a supervisor")?;
        fail_point::reach(Step::SupervisorStarted);
        if let Err(error) = hand_over(&mut child, order) {
            supervised.signal(sandbox::Signal::KILL);
            supervised.reap();
            return Err(error);
        }
        fail_point::reach(Step::ReplicaStarted);
        lock(&self.supervised).insert(id, supervised);
        Ok(())
    }

    fn spawn(&self, directory: &Path) -> Result<Child> {
        let errors = directory.join("supervisor.log");
        let errors = File::create(&errors).with_context(|| format!("cannot make {}", errors.display()))?;
        // Nothing of the server's environment is the supervisor's business.
        Command::new(&self.options.supervisor)
            .arg("supervise")
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", self.options.supervisor.display()))
    }
}

/// Writes the file that the app reads its memory limit from.
fn write_memory_limit(order: &Order) -> std::io::Result<()> {
    fs::write(&order.memory_limit, (order.run.memory_mb << 20).to_string())?;
    fs::set_permissions(&order.memory_limit, fs::Permissions::from_mode(0o644))
}

/// Gives a supervisor its order and waits for its answer.
fn hand_over(child: &mut Child, order: &Order) -> Result<()> {
    let mut pipe = child.stdin.take().context("a supervisor has no input")?;
    let output = child.stdout.take().context("a supervisor has no output")?;
    let sent = pipe.write_all(&serde_json::to_vec(order).context("an order cannot be written")?);
    drop(pipe);
    let answer = first_line(output)?;
    sent.context("a supervisor did not take its order")?;
    match answer.trim() {
        STARTED => Ok(()),
        "" => bail!("a supervisor ended without a word"),
        reason => bail!("{reason}"),
    }
}

fn first_line(mut output: ChildStdout) -> Result<String> {
    let deadline = Instant::now() + START_TIME;
    let mut line = Vec::new();
    while !line.contains(&b'\n') {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now()))?;
        if poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&left))? == 0 {
            bail!("a supervisor did not start within {} s", START_TIME.as_secs());
        }
        let mut chunk = [0; 1024];
        match output.read(&mut chunk)? {
            0 => break,
            read => line.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

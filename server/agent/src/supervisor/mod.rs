//! The small process that holds one run of a replica and outlives the server.
//!
//! It starts the sandbox, carries output into the app's log, passes on the wish to end, and writes down how the run
//! ended. It decides nothing about starting again. Synchronous, and nothing but its own order comes from outside.

mod end;
mod last_lines;
mod order;
mod wishes;

use std::io::{self, Write};
use std::process::{Child, Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use logs::{Bounds, LinePump, LogDir, Origin, Rate, Source};
use model::exit::Exit;
use rustix::process::{getpid, setsid};
use sandbox::{Cgroup, HostFacts};

pub use end::cause_of;
pub(crate) use order::Order;

use crate::atomic::Durability;
use crate::process_identity::start_ticks;
use crate::replica_dir::{ReplicaDir, RunFile};
use last_lines::{LastLines, Tee};
use wishes::Wishes;

/// What the supervisor says once the replica runs; anything else is the reason why it does not.
pub(crate) const STARTED: &str = "started";

/// How long output may be carried on after the last process has gone.
const OUTPUT_TIME: Duration = Duration::from_secs(5);

/// Supervises the run of a replica that is ordered on standard input, to its end. Its own caller is the agent.
#[must_use]
pub fn supervise_main() -> ExitCode {
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells the agent, which may be gone.
fn say(line: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(line.replace('\n', " ").as_bytes());
    let _ = stdout.write_all(b"\n");
    let _ = stdout.flush();
}

fn supervise() -> Result<()> {
    // Out of the server's session, so that no terminal and no service manager ends both together.
    let _ = setsid();
    sandbox::leave_host_sockets();
    let order = Order::read(io::stdin().lock())?;
    let directory = ReplicaDir::at(&order.directory);
    let Some(_lock) = directory.lock().context("cannot lock the replica's directory")? else {
        bail!("the replica is running already");
    };
    let wishes = Wishes::listen().context("cannot listen to signals")?;
    let host = HostFacts::detect(&order.generated)?;
    let cgroup = Cgroup::named(&host.cgroups, &order.cgroup)?;
    let stop_time = Duration::from_secs(order.stop_seconds.into());
    let memory_mb = order.run.memory_mb;

    let lines = LastLines::default();
    // Before it is so: without this file nothing ran.
    let durability = if order.once { Durability::Synced } else { Durability::Cached };
    directory.write_run(this_run()?, durability).context("cannot write run.json")?;
    let (mut child, output) = start(order, &host, lines.clone())?;
    say(STARTED);

    let (status, killed) = wishes.follow(&mut child, stop_time);
    // Nothing inside is left, so the pipe has ended or is about to.
    let _ = output.recv_timeout(OUTPUT_TIME);
    let oom = !killed && cgroup.usage().oom_kills.is_some_and(|kills| kills > 0);
    let cause = end::cause(status, oom.then_some(memory_mb));
    let exit = Exit { cause, at: Timestamp::now(), last_lines: lines.lines() };
    directory.write_exit(&exit).context("cannot write exit.json")?;
    if let Err(error) = cgroup.kill().and_then(|()| cgroup.remove()) {
        tracing::warn!(%error, "cannot remove the cgroup of a replica");
    }
    Ok(())
}

fn this_run() -> Result<RunFile> {
    let pid = getpid();
    let start_ticks = start_ticks(pid).context("cannot read when this process started")?;
    Ok(RunFile { pid: pid.as_raw_nonzero().get(), start_ticks, started: Timestamp::now() })
}

/// Starts the sandbox and a thread that carries its output; the receiver hears of the output's end.
fn start(order: Order, host: &HostFacts, lines: LastLines) -> Result<(Child, mpsc::Receiver<()>)> {
    let writer = LogDir::open(&order.log, Bounds::default()).context("cannot open the app's log")?.writer();
    let origin = Origin::new(Source::App, &order.run.name, Some(order.release));
    let sandbox = order.into_sandbox()?;
    let (reader, output) = sandbox::log_pipe(host.privilege, sandbox.identity)?;
    let mut command: Command = sandbox.command(host)?;
    command.stdout(output.try_clone().context("cannot share a pipe")?).stderr(output);
    let child = command.spawn().context("cannot start bubblewrap")?;
    // It holds the pipe's other end, and the config.
    drop((command, sandbox));
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut pump = LinePump::new(writer, origin, Rate::default());
        if let Err(error) = pump.drain(Tee::new(reader.into(), lines)) {
            tracing::warn!(%error, "cannot read a replica's output");
        }
        let _ = done.send(());
    });
    Ok((child, ended))
}

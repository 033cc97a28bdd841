//! How a container ended, as far as the daemon knows it.

use std::time::Duration;

use agent::{EngineError, Instance};
use anyhow::Context as _;
use bollard::models::{ContainerInspectResponse, ContainerState};
use bollard::query_parameters::{LogsOptions, WaitContainerOptions};
use futures::StreamExt as _;
use jiff::Timestamp;
use model::exit::{Exit, ExitCause};
use model::id::ReplicaId;
use model::wording;

use super::{DockerEngine, Inner, RunFile};
use crate::daemon::QUICK;
use crate::labels;

/// The pause between two looks while the daemon does not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Most lines of the end of the output that are kept, and most characters of one.
const LINES: (&str, usize) = ("20", 500);

impl DockerEngine {
    /// Says whether a replica runs, and has its output carried on if there may be more of it.
    pub(super) async fn find(&self, id: ReplicaId) -> Result<Instance, EngineError> {
        let dir = self.0.dir(id);
        let container = match self.0.inspect(id).await {
            Err(error) if error.is_silence() => {
                let begun = dir.read::<RunFile>("run.json").is_some();
                if let Some(exit) = dir.exit() {
                    return Ok(Instance::Ended(exit));
                }
                if begun {
                    self.carry_output(id);
                }
                return Ok(if begun { Instance::Running } else { Instance::Prepared });
            }
            other => other?,
        };
        // Without this file nothing of the program ran, even if its container does.
        if dir.read::<RunFile>("run.json").is_none() && dir.exit().is_none() {
            return Ok(Instance::Prepared);
        }
        if container.is_some() {
            self.carry_output(id);
        }
        if container.as_ref().is_some_and(is_running) {
            return Ok(Instance::Running);
        }
        Ok(Instance::Ended(self.0.exit(id).await))
    }
}

impl Inner {
    /// Waits until no container of the replica runs. While the daemon is away nothing is known, and it may run on.
    pub(super) async fn wait(&self, id: ReplicaId) {
        let name = self.name(id);
        loop {
            match self.inspect(id).await {
                Ok(found) if !found.as_ref().is_some_and(is_running) => return,
                Ok(_) => {
                    let options = WaitContainerOptions { condition: "not-running".to_owned() };
                    let mut ended = std::pin::pin!(self.daemon.docker().wait_container(&name, Some(options)));
                    // Whatever it answers, or how the question ends, is looked at anew.
                    if let Some(Ok(_)) = ended.next().await {
                        continue;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => {
                    tracing::debug!(%error, replica = %id, "cannot see whether a replica runs");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Returns how the run ended, and writes it down when it was seen for the first time.
    pub(super) async fn exit(&self, id: ReplicaId) -> Exit {
        let dir = self.dir(id);
        if let Some(exit) = dir.exit() {
            return exit;
        }
        let lost = || Exit { cause: ExitCause::Lost, at: Timestamp::now(), last_lines: Vec::new() };
        let container = loop {
            match self.inspect(id).await {
                Ok(Some(container)) => break container,
                Ok(None) => return lost(),
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        let exit = Exit {
            cause: cause(&container),
            at: finished(&container).unwrap_or_else(Timestamp::now),
            last_lines: self.last_lines(id).await.unwrap_or_default(),
        };
        if let Err(error) = dir.write_exit(&exit).context("cannot write exit.json") {
            tracing::warn!(error = format!("{error:#}"), replica = %id, "the end of a replica is not written down");
        }
        exit
    }

    async fn last_lines(&self, id: ReplicaId) -> Option<Vec<String>> {
        let options =
            LogsOptions { stdout: true, stderr: true, tail: LINES.0.to_owned(), ..LogsOptions::default() };
        let name = self.name(id);
        let said = self.daemon.docker().logs(&name, Some(options)).collect::<Vec<_>>();
        let said = tokio::time::timeout(QUICK, said).await.ok()?;
        let text: Vec<u8> = said.into_iter().flatten().flat_map(|line| line.into_bytes()).collect();
        let text = String::from_utf8_lossy(&text);
        Some(text.lines().map(|line| wording::plain(line, LINES.1)).collect())
    }
}

/// Tells whether a container runs, or is about to.
pub(super) fn is_running(container: &ContainerInspectResponse) -> bool {
    container.state.as_ref().and_then(|state| state.running).unwrap_or(false)
}

fn finished(container: &ContainerInspectResponse) -> Option<Timestamp> {
    container.state.as_ref()?.finished_at.as_ref()?.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}

fn cause(container: &ContainerInspectResponse) -> ExitCause {
    let Some(state) = &container.state else { return ExitCause::Lost };
    let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
    let memory_mb = labels.and_then(|labels| labels.get(labels::MEMORY_MB)?.parse().ok());
    cause_of(state, memory_mb)
}

fn cause_of(state: &ContainerState, memory_mb: Option<u64>) -> ExitCause {
    // It was never started, or the host went down under it.
    let Some(code) = state.exit_code.and_then(|code| i32::try_from(code).ok()) else {
        return ExitCause::Lost;
    };
    let started = state.started_at.as_deref().is_some_and(|at| !at.starts_with("0001"));
    if !started {
        return ExitCause::Lost;
    }
    let over = memory_mb.filter(|_| state.oom_killed == Some(true));
    agent::cause_of(code, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: i64, oom: bool) -> ContainerState {
        ContainerState {
            exit_code: Some(code),
            oom_killed: Some(oom),
            started_at: Some("2026-01-02T03:04:05.6Z".into()),
            ..ContainerState::default()
        }
    }

    #[test]
    fn codes_signals_and_want_of_memory_are_told_apart() {
        let told = |code, oom| cause_of(&state(code, oom), Some(512));
        assert_eq!(told(0, false), ExitCause::Code(0));
        assert_eq!(told(3, true), ExitCause::Code(3));
        assert_eq!(told(143, false), ExitCause::Signal(15));
        assert_eq!(told(137, false), ExitCause::Signal(9));
        assert_eq!(told(137, true), ExitCause::OutOfMemory(512));
        assert_eq!(told(255, false), ExitCause::Code(255));
        let never = ContainerState { started_at: Some("0001-01-01T00:00:00Z".into()), ..state(0, false) };
        assert_eq!(cause_of(&never, None), ExitCause::Lost);
    }
}

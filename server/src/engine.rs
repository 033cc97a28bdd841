//! Which engine runs replicas and builds on a host, and why that one.
//!
//! What runs is not moved from one engine to another by itself: `auto` stays with the engine whose replicas are there. Told
//! to take another one, the replicas of the one before are ended first.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::{Engine, SandboxEngine, SandboxOptions};
use anyhow::{Context as _, bail};
use docker::{BuildContainers, Daemon, DaemonError, DockerEngine, DockerOptions, STACK};
use sandbox::{HostFacts, Reach};
use slug::SlugStore;
use tracing::{info, warn};

use crate::options::EngineChoice;

/// The engine of a host.
#[derive(Clone, Debug)]
pub(crate) enum Chosen {
    /// bubblewrap.
    Sandbox,
    /// The Docker Engine behind the local socket.
    Docker(Daemon),
}

/// What an engine is made of, whichever it is.
pub(crate) struct Place {
    /// The agent's directory.
    pub(crate) dir: PathBuf,
    /// The directory of all apps' logs.
    pub(crate) logs_dir: PathBuf,
    /// This program, which is also the supervisor of sandboxes.
    pub(crate) program: PathBuf,
    /// Where slugs come from.
    pub(crate) slugs: SlugStore,
    /// What apps may not reach over the network.
    pub(crate) reach: Option<Reach>,
}

impl Chosen {
    /// Returns the choice that leads to this engine.
    pub(crate) fn choice(&self) -> EngineChoice {
        match self {
            Self::Sandbox => EngineChoice::Sandbox,
            Self::Docker(_) => EngineChoice::Docker,
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Docker(_) => "docker",
        })
    }
}

/// Decides by the wish of who started the server, by what runs, and by what is there. The log says which and why.
///
/// # Errors
/// Docker is wished for, and does not answer or lacks the stack.
pub(crate) async fn choose(choice: EngineChoice, dir: &Path) -> anyhow::Result<Chosen> {
    let running = has_replicas(dir).then(|| recorded(dir));
    let (chosen, why) = match (choice, running) {
        (EngineChoice::Sandbox, _) => (Chosen::Sandbox, "as told".to_owned()),
        (EngineChoice::Auto, Some(EngineChoice::Sandbox)) => (Chosen::Sandbox, "its replicas run".to_owned()),
        // The daemon may be away just now; its replicas are still its.
        (EngineChoice::Auto | EngineChoice::Docker, Some(EngineChoice::Docker)) => {
            (Chosen::Docker(Daemon::local()?), "its replicas run".to_owned())
        }
        (EngineChoice::Docker, _) => match ready().await? {
            Ok((daemon, why)) => (Chosen::Docker(daemon), format!("as told; {why}")),
            Err(why) => bail!("replicas cannot run in containers: {why}"),
        },
        (EngineChoice::Auto, _) => match ready().await? {
            Ok((daemon, why)) => (Chosen::Docker(daemon), why),
            Err(why) => (Chosen::Sandbox, why),
        },
    };
    info!("replicas and builds run with the engine `{chosen}`: {why}");
    Ok(chosen)
}

/// Returns the engine whose replicas are there, for who only ends them.
pub(crate) fn found(dir: &Path) -> anyhow::Result<Chosen> {
    Ok(match recorded(dir) {
        EngineChoice::Docker => Chosen::Docker(Daemon::local()?),
        _ => Chosen::Sandbox,
    })
}

/// Makes the engine, after the replicas of another one were ended, and notes which it is.
pub(crate) async fn make(chosen: &Chosen, place: &Place) -> anyhow::Result<Arc<dyn Engine>> {
    fs::create_dir_all(&place.dir).with_context(|| format!("cannot make {}", place.dir.display()))?;
    let before = found(&place.dir)?;
    if before.to_string() != chosen.to_string() && has_replicas(&place.dir) {
        warn!("the replicas of the engine `{before}` are ended: from now on it is `{chosen}`");
        end_all(of(&before, place)?.as_ref()).await?;
    }
    let note = place.dir.join("engine");
    fs::write(&note, chosen.to_string()).with_context(|| format!("cannot write {}", note.display()))?;
    of(chosen, place)
}

/// Has builds run where replicas do.
pub(crate) fn builder(
    chosen: &Chosen,
    builder: build::Builder,
    host: HostFacts,
    dir: &Path,
) -> build::Builder {
    match chosen {
        Chosen::Sandbox => builder,
        Chosen::Docker(daemon) => {
            let containers = BuildContainers::new(daemon.clone(), host, dir, STACK);
            tokio::task::block_in_place(|| builder.in_containers(Arc::new(containers)))
        }
    }
}

fn of(chosen: &Chosen, place: &Place) -> anyhow::Result<Arc<dyn Engine>> {
    let Place { dir, logs_dir, program, slugs, reach } = place;
    let (dir, logs_dir, slugs, reach) = (dir.clone(), logs_dir.clone(), slugs.clone(), reach.clone());
    Ok(match chosen {
        Chosen::Sandbox => {
            let supervisor = program.clone();
            Arc::new(SandboxEngine::new(SandboxOptions { dir, logs_dir, supervisor, slugs, reach })?)
        }
        Chosen::Docker(daemon) => {
            let options = DockerOptions { dir, logs_dir, slugs, reach, image: STACK.to_owned() };
            Arc::new(DockerEngine::new(options, daemon.clone())?)
        }
    })
}

async fn end_all(engine: &dyn Engine) -> anyhow::Result<()> {
    for id in engine.list().await?.into_keys() {
        engine.forget(id).await.with_context(|| format!("cannot end replica {id}"))?;
    }
    Ok(())
}

/// Returns the daemon with what speaks for it, or what speaks against it.
async fn ready() -> anyhow::Result<Result<(Daemon, String), String>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Err("the Docker engine needs root".to_owned()));
    }
    let found = async {
        let daemon = Daemon::connect().await?;
        Ok::<_, DaemonError>((docker::find_stack(&daemon).await?, daemon))
    };
    Ok(match found.await {
        Ok((_, daemon)) if !daemon.shares_network() => {
            Err("the Docker Engine has another network than this server, and its containers are out of reach"
                .to_owned())
        }
        Ok((Some(stack), daemon)) => {
            let old = if stack.current { "" } else { "; `paasd stack build` would make a newer one" };
            Ok((daemon, format!("Docker answers and has the stack {STACK}{old}")))
        }
        Ok((None, _)) => {
            Err(format!("Docker answers but has no stack {STACK}; `paasd stack build` makes it"))
        }
        Err(error) => Err(error.to_string()),
    })
}

/// Returns the engine that was noted last. Servers of before had one, and noted nothing.
fn recorded(dir: &Path) -> EngineChoice {
    match fs::read_to_string(dir.join("engine")).unwrap_or_default().trim() {
        "docker" => EngineChoice::Docker,
        _ => EngineChoice::Sandbox,
    }
}

fn has_replicas(dir: &Path) -> bool {
    fs::read_dir(dir.join("replicas")).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn auto_stays_with_the_engine_whose_replicas_are_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("replicas/one")).unwrap();
        let chosen = choose(EngineChoice::Auto, dir.path()).await.unwrap();
        assert_eq!(chosen.to_string(), "sandbox", "as servers had it that noted nothing");
        for name in ["docker", "sandbox"] {
            fs::write(dir.path().join("engine"), name).unwrap();
            let chosen = choose(EngineChoice::Auto, dir.path()).await.unwrap();
            assert_eq!(
                (chosen.to_string().as_str(), found(dir.path()).unwrap().to_string().as_str()),
                (name, name)
            );
        }
        let told = choose(EngineChoice::Sandbox, dir.path()).await.unwrap();
        assert!(matches!(told, Chosen::Sandbox));
    }
}

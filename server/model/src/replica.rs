//! What the control plane asks of an agent, and what the agent reports back.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::ConfigVars;
use crate::exit::Exit;
use crate::health::{HealthCheck, ProbeFailure};
use crate::host_use::HostUse;
use crate::id::{AppId, ReplicaId};
use crate::image::ImageConfig;
use crate::keep::HostGarbage;
use crate::metrics::Reading;
use crate::name::{AppName, ProcessType};
use crate::release::Version;
use crate::size::Size;
use crate::slug::Digest;

/// All that should run on one host. Replicas that are not listed, and not to be kept, are stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDesired {
    /// That of the server that decided it; what one of an older term decided is refused.
    #[serde(default)]
    pub term: u64,
    /// Grows with every change within a term; an agent refuses an older one than it has.
    pub generation: u64,
    /// The replicas in the order of their ids.
    pub replicas: Vec<ReplicaSpec>,
    /// Replicas that the control plane cannot describe now, because their release cannot be read: they stay as they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kept: BTreeSet<ReplicaId>,
    /// Slugs that stay ready for a start though nothing may run of them just now.
    #[serde(default)]
    pub ready: BTreeSet<Digest>,
}

/// One replica that should be on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSpec {
    /// Its identity, never reused.
    pub id: ReplicaId,
    /// Its app.
    pub app: AppId,
    /// The app's name.
    pub app_name: AppName,
    /// The uid and gid of the app's processes on every host.
    pub uid: u32,
    /// The release it runs.
    pub release: Version,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type, from 1.
    pub number: u32,
    /// The slug.
    pub slug: Digest,
    /// The command line, run by a shell.
    pub command: String,
    /// The container image whose files the slug holds; nothing where it is an app for the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageConfig>,
    /// The config vars of the release and the variables of the platform.
    pub config: ConfigVars,
    /// How much of the host it may use.
    pub size: Size,
    /// How its health is checked.
    pub health: HealthCheck,
    /// The Host header of health checks: the app's own name.
    pub host_header: String,
    /// What should become of it.
    pub wish: Wish,
    /// The time between SIGTERM and SIGKILL, in seconds.
    pub stop_seconds: u32,
}

impl HostDesired {
    /// Returns what orders wishes: an agent takes none that come before those it has.
    #[must_use]
    pub fn order(&self) -> (u64, u64) {
        (self.term, self.generation)
    }

    /// Adds the specs that the wishes of before had of the replicas to be kept.
    pub fn take_over(&mut self, before: &Self) {
        let listed: BTreeSet<ReplicaId> = self.replicas.iter().map(|spec| spec.id).collect();
        let kept = |spec: &&ReplicaSpec| self.kept.contains(&spec.id) && !listed.contains(&spec.id);
        let taken: Vec<_> = before.replicas.iter().filter(kept).cloned().collect();
        self.replicas.extend(taken);
        self.replicas.sort_by_key(|spec| spec.id);
    }
}

impl HostDesired {
    /// Tells whether more of the same app and process type should run on this host than this one.
    #[must_use]
    pub fn is_accompanied(&self, spec: &ReplicaSpec) -> bool {
        self.replicas.iter().any(|other| {
            other.app == spec.app
                && other.process == spec.process
                && other.id != spec.id
                && other.wish == Wish::Run
        })
    }
}

impl ReplicaSpec {
    /// Returns the name that users see, `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.process, self.number)
    }

    /// Returns what the replica is of.
    #[must_use]
    pub fn role(&self) -> Role {
        Role { app: self.app, release: self.release, process: self.process.clone(), number: self.number }
    }
}

/// What should become of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// Run it, and start it again when it ends.
    Run,
    /// Run it until it ends by itself or this many seconds have passed; never start it again.
    Once {
        /// Most seconds it may run.
        seconds: u32,
    },
    /// End it: SIGTERM, then SIGKILL.
    Stop,
}

/// What an agent observed on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// The term of the wishes that the agent has carried out or is carrying out.
    #[serde(default)]
    pub term: u64,
    /// Their generation within it.
    pub generation: u64,
    /// The replicas that exist there, wanted or not.
    pub replicas: Vec<ReplicaStatus>,
    /// What the host cannot do, in sentences, such as limits without cgroups.
    pub degraded: Vec<String>,
    /// What nobody needs there any more; the host removes it when it finds it so once more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub garbage: Vec<HostGarbage>,
    /// What its machine has in use; an older agent does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<HostUse>,
    /// It keeps what it measures and brings it minute by minute; of an older agent this report is all there is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_minutes: bool,
}

impl HostReport {
    /// Returns what orders the wishes that the agent knows, as [`HostDesired::order`] does.
    #[must_use]
    pub fn order(&self) -> (u64, u64) {
        (self.term, self.generation)
    }
}

impl HostReport {
    /// Tells whether this says the same as another one, whatever replicas and the machine use by now.
    #[must_use]
    pub fn is_but_for_use(&self, other: &Self) -> bool {
        self.order() == other.order()
            && self.degraded == other.degraded
            && self.garbage == other.garbage
            && self.replicas.len() == other.replicas.len()
            && self.replicas.iter().zip(&other.replicas).all(|(one, other)| one.is_but_for_use(other))
    }
}

/// What an agent observed of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Which one.
    pub id: ReplicaId,
    /// What it is of, unless its host has no description of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Where it stands.
    pub phase: Phase,
    /// When it got there.
    pub since: jiff::Timestamp,
    /// Where it should listen, once a port was given.
    pub address: Option<SocketAddr>,
    /// How often it ended and was started again.
    pub restarts: u32,
    /// Its last end.
    pub last_exit: Option<Exit>,
    /// Why the last probe failed.
    pub probe: Option<ProbeFailure>,
    /// It is healthy, but has not answered the last probe yet though others would have: better ask another one.
    #[serde(default)]
    pub silent: bool,
    /// Memory in use, in bytes, where it can be measured.
    pub memory_bytes: Option<u64>,
    /// Processor time, where it is counted.
    #[serde(default)]
    pub cpu: Option<CpuUse>,
}

impl ReplicaStatus {
    /// Returns what it uses, if anything of it is known.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let memory_mib = self.memory_bytes.and_then(|bytes| u32::try_from(bytes >> 20).ok());
        let millicores = self.cpu.and_then(|cpu| cpu.millicores);
        (memory_mib.is_some() || millicores.is_some()).then_some(Reading { millicores, memory_mib })
    }

    fn is_but_for_use(&self, other: &Self) -> bool {
        *self == Self { memory_bytes: self.memory_bytes, cpu: self.cpu, ..other.clone() }
    }
}

/// What a replica is of. It is what a control plane knows one by that it did not wish for, or does not remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its app.
    pub app: AppId,
    /// The release it runs.
    pub release: Version,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type, from 1.
    pub number: u32,
}

/// The processor time of one run of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuUse {
    /// All of it since the run began, in milliseconds, in coarse steps so that noise makes no news.
    pub used_ms: u64,
    /// What it used when it was last measured, in thousandths of one core; nothing until it was measured twice.
    pub millicores: Option<u32>,
}

/// Where a replica stands on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its slug is fetched or its process has not yet been found healthy.
    Starting,
    /// It runs and its last probes were good.
    Healthy,
    /// It runs, was healthy, and does not answer any more.
    Unhealthy,
    /// It ended and will be started again after a pause.
    Backoff,
    /// It is ending.
    Stopping,
    /// It ended for good: stopped as wished, or ran once.
    Ended,
    /// It cannot be started; the reason is in the last exit's lines.
    Impossible,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replicas_use_makes_no_other_report_and_all_else_does() {
        let status = ReplicaStatus {
            id: ReplicaId::new(),
            role: None,
            phase: Phase::Healthy,
            since: jiff::Timestamp::UNIX_EPOCH,
            address: None,
            restarts: 0,
            last_exit: None,
            probe: None,
            silent: false,
            memory_bytes: Some(1),
            cpu: None,
        };
        let of = |status: ReplicaStatus| HostReport { replicas: vec![status], ..HostReport::default() };
        let before = of(status.clone());
        let cpu = Some(CpuUse { used_ms: 100, millicores: None });
        assert!(of(ReplicaStatus { memory_bytes: None, cpu, ..status.clone() }).is_but_for_use(&before));
        let in_use = Some(HostUse::default());
        assert!(HostReport { in_use, ..before.clone() }.is_but_for_use(&before));
        let others = [
            of(ReplicaStatus { silent: true, ..status.clone() }),
            of(ReplicaStatus { restarts: 1, ..status }),
            HostReport { generation: 1, ..before.clone() },
            HostReport { degraded: vec!["no cgroups".to_owned()], ..before.clone() },
            HostReport::default(),
        ];
        for other in others {
            assert!(!other.is_but_for_use(&before), "{other:?}");
        }
    }

    #[test]
    fn a_report_of_an_older_agent_says_nothing_of_its_machine_and_nobody_is_told_null() {
        let older = r#"{"generation":3,"replicas":[],"degraded":[]}"#;
        let report: HostReport = serde_json::from_str(older).unwrap();
        assert_eq!((report.generation, report.in_use), (3, None));
        assert!(!serde_json::to_string(&report).unwrap().contains("in_use"));
    }
}

//! Decides what a sandbox becomes as a container. Nothing here does anything.
//!
//! As under bubblewrap: the stack read-only, `/tmp` and its like in memory, no capabilities and no way to get any, the app's
//! own user, a first process of its own that reaps, and limits that count all of it together.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use anyhow::Context as _;
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountType,
    PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use model::image::SHELL;
use sandbox::{Bind, Environment, Limits, Mode, Sandbox};

use crate::input::{self, PRELUDE};
use crate::labels::Labels;

/// Docker keeps a container's output for us until it is in the app's log, in files of this many bytes.
pub(crate) const OUTPUT_FILE_BYTES: u64 = 16_000_000;
/// How many of them.
const OUTPUT_FILES: u64 = 4;

/// What a container is beside its sandbox.
pub(crate) struct Place {
    /// What lies below the binds of the sandbox.
    pub(crate) base: Base,
    /// The network: the name of one, `host` or `none`.
    pub(crate) network: String,
    /// Who it belongs to.
    pub(crate) labels: Labels,
    /// Whether Docker keeps its output, for somebody who reads it later.
    pub(crate) keeps_output: bool,
    /// The port that other machines reach at the host's own address, under the same number.
    pub(crate) published: Option<u16>,
}

/// The image of a container, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// The stack, which has bash.
    Stack(String),
    /// One without files: all of them come as binds, with whatever shell there is. Where Docker puts its first process they
    /// would hide it, so it is one of them; where it was not found there is none.
    Empty {
        /// The image.
        image: String,
        /// The place of the first process.
        init: Option<&'static str>,
    },
}

impl Base {
    fn image(&self) -> &str {
        let (Self::Stack(image) | Self::Empty { image, .. }) = self;
        image
    }

    /// Returns the words before the program's that give it its environment.
    fn entry(&self) -> Vec<String> {
        let words = match self {
            Self::Stack(_) => vec!["/bin/bash", "--norc", "--noprofile", "-c", PRELUDE, "bash"],
            Self::Empty { init: Some(init), .. } => vec![*init, "--", SHELL, "-s", "--"],
            Self::Empty { init: None, .. } => vec![SHELL, "-s", "--"],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// Returns what the shell reads, first until the program may run and then so that it does.
    pub(crate) fn input(&self, environment: &Environment) -> (Vec<u8>, &'static [u8]) {
        match self {
            Self::Stack(_) => (input::of(environment), input::END),
            Self::Empty { .. } => (input::script_of(environment), input::SCRIPT_END),
        }
    }
}

/// Returns what makes the container of a sandbox; its environment is not in it, see `input`.
///
/// # Errors
/// Its command or a path is not text, which Docker cannot take.
pub(crate) fn body(sandbox: &Sandbox, place: Place) -> anyhow::Result<ContainerCreateBody> {
    let text = |word: &std::ffi::OsString| word.to_str().map(str::to_owned);
    let command = sandbox.command.iter().map(text).collect::<Option<Vec<_>>>();
    let command = command.context("a command in a container must be text")?;
    let (uid, gid) = (sandbox.identity.uid(), sandbox.identity.gid());
    let host = place.network == "host";
    Ok(ContainerCreateBody {
        image: Some(place.base.image().to_owned()),
        user: Some(format!("{uid}:{gid}")),
        entrypoint: Some(place.base.entry()),
        cmd: Some(command),
        env: Some(Vec::new()),
        working_dir: sandbox.workdir.to_str().map(str::to_owned),
        // With the host's network it has the host's name.
        hostname: sandbox.hostname.clone().filter(|_| !host),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        labels: Some(place.labels.clone()),
        exposed_ports: place.published.map(|port| vec![tcp(port)]),
        host_config: Some(host_config(sandbox, &place)?),
        ..ContainerCreateBody::default()
    })
}

fn host_config(sandbox: &Sandbox, place: &Place) -> anyhow::Result<HostConfig> {
    let limits = &sandbox.limits;
    let memory = limits.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let log = if place.keeps_output {
        let bounds = [("max-size", OUTPUT_FILE_BYTES), ("max-file", OUTPUT_FILES)];
        let bounds = bounds.map(|(name, value)| (name.to_owned(), value.to_string()));
        HostConfigLogConfig { typ: Some("json-file".into()), config: Some(HashMap::from(bounds)) }
    } else {
        HostConfigLogConfig { typ: Some("none".into()), config: None }
    };
    Ok(HostConfig {
        network_mode: Some(place.network.clone()),
        memory,
        // Memory and swap together: no swap.
        memory_swap: memory,
        cpu_shares: limits.cpu_shares.map(i64::from),
        nano_cpus: limits.cpu_percent.map(|percent| i64::from(percent) * 10_000_000),
        pids_limit: limits.pids.map(i64::from),
        ulimits: Some(ulimits(limits)),
        shm_size: i64::try_from(limits.tmp_bytes).ok(),
        tmpfs: Some(["/tmp", "/var/tmp"].map(|path| (path.to_owned(), tmpfs(limits))).into()),
        mounts: Some(
            sandbox.binds.iter().filter(|bind| is_there(bind)).map(mount).collect::<Result<_, _>>()?,
        ),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        ipc_mode: Some("private".into()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        init: Some(matches!(place.base, Base::Stack(_))),
        log_config: Some(log),
        port_bindings: place.published.map(|port| HashMap::from([(tcp(port), Some(vec![at_host(port)]))])),
        // Who is started when is decided by the agent alone.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    })
}

/// Returns a port as Docker names it.
fn tcp(port: u16) -> String {
    format!("{port}/tcp")
}

/// Returns a port at every IPv4 address of the host: load balancers call no other.
fn at_host(port: u16) -> PortBinding {
    PortBinding { host_ip: Some(Ipv4Addr::UNSPECIFIED.to_string()), host_port: Some(port.to_string()) }
}

/// Docker would refuse the whole container.
fn is_there(bind: &Bind) -> bool {
    !bind.optional || bind.source.exists()
}

fn mount(bind: &Bind) -> anyhow::Result<Mount> {
    let text = |path: &std::path::Path| {
        path.to_str().map(str::to_owned).with_context(|| format!("{} is not text", path.display()))
    };
    Ok(Mount {
        typ: Some(MountType::BIND),
        source: Some(text(&bind.source)?),
        target: Some(text(&bind.target)?),
        read_only: Some(bind.mode == Mode::ReadOnly),
        ..Mount::default()
    })
}

fn tmpfs(limits: &Limits) -> String {
    format!("rw,exec,nosuid,nodev,mode=1777,size={}", limits.tmp_bytes)
}

fn ulimits(limits: &Limits) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, value: u64| {
        let value = i64::try_from(value).ok();
        ResourcesUlimits { name: Some(name.to_owned()), soft: value, hard: value }
    };
    let always = [limit("nofile", limits.open_files), limit("core", 0)];
    always.into_iter().chain(limits.file_bytes.map(|bytes| limit("fsize", bytes))).collect()
}

#[cfg(test)]
mod tests {
    use sandbox::Identity;

    use super::*;

    fn made(change: impl FnOnce(&mut Sandbox)) -> ContainerCreateBody {
        let mut sandbox = Sandbox::new(Identity::new(200_001, 200_001).unwrap(), ["env"]);
        sandbox.environment.set("SECRET", "s3cret").unwrap();
        sandbox.limits.memory_bytes = Some(512 << 20);
        sandbox.limits.pids = Some(64);
        change(&mut sandbox);
        let place = Place {
            base: Base::Stack("stack".into()),
            network: "apps".into(),
            labels: Labels::default(),
            keeps_output: true,
            published: None,
        };
        body(&sandbox, place).unwrap()
    }

    #[test]
    fn nothing_of_the_environment_is_in_what_docker_keeps() {
        let json = serde_json::to_string(&made(|_| {})).unwrap();
        assert!(!json.contains("s3cret") && !json.contains("SECRET"), "{json}");
    }

    #[test]
    fn a_container_has_no_rights_and_all_limits() {
        let made = made(|_| {});
        assert_eq!(made.user.as_deref(), Some("200001:200001"));
        let host = made.host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(512 << 20), Some(512 << 20)));
        assert_eq!((host.pids_limit, host.readonly_rootfs, host.privileged), (Some(64), Some(true), None));
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        // What an app writes fills no disk, also while nobody reads it.
        let log = host.log_config.unwrap();
        let bounds = [("max-size", "16000000"), ("max-file", "4")];
        let bounds = bounds.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((log.typ.as_deref(), log.config), (Some("json-file"), Some(HashMap::from(bounds))));
    }

    #[test]
    fn an_optional_bind_of_what_is_not_there_is_left_out() {
        let missing = Bind { optional: true, ..Bind::read_only("/nowhere/at/all", "/x") };
        let mounts = made(|sandbox| sandbox.binds = vec![missing, Bind::read_write("/tmp", "/app")])
            .host_config
            .unwrap()
            .mounts
            .unwrap();
        assert_eq!(mounts.len(), 1);
        assert_eq!((mounts[0].target.as_deref(), mounts[0].read_only), (Some("/app"), Some(false)));
    }
}

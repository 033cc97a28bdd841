//! The machines that run replicas.

pub(crate) mod add;
pub(crate) mod drain;
pub(crate) mod drill;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod resume;

use crate::api::host::Host;
use crate::api::segment;
use crate::screen::Tone;

/// Returns where a host is asked for.
fn path(host: &str) -> String {
    format!("/hosts/{}", segment(host))
}

/// Returns how good it is to stand so.
fn tone(state: &str) -> Tone {
    match state {
        "ready" => Tone::Good,
        "lost" | "silent" => Tone::Bad,
        _ => Tone::Care,
    }
}

/// Returns how much is free of what is offered, in units of so many.
fn of(free: Option<u64>, offered: Option<u64>, unit: u64) -> String {
    let tenths = |n: u64| {
        let tenths = n.saturating_mul(10) / unit;
        if tenths.is_multiple_of(10) {
            format!("{}", tenths / 10)
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        }
    };
    match (free, offered) {
        (Some(free), Some(offered)) => format!("{} of {}", tenths(free), tenths(offered)),
        _ => "no bound".to_owned(),
    }
}

/// Returns what a host is as an instance, and what that is doing where its state does not say so.
fn kind(host: &Host) -> String {
    let Some(instance) = &host.instance else { return String::new() };
    let spot = if instance.lifecycle == "spot" { ", spot" } else { "" };
    let doing = Some(&instance.doing).filter(|doing| **doing != host.state && *doing != "joined");
    let doing = doing.map(|doing| format!("{doing}, ")).unwrap_or_default();
    format!("{doing}{}{spot}", instance.kind)
}

const GIGABYTE: u64 = 1 << 30;
const CORE: u64 = 1_000;

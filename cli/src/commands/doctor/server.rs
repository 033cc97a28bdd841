//! The server's side: address, token, engine and disk.

use model::wording;

use super::backups;
use super::finding::Finding;
use super::tls;
use crate::api::access::User;
use crate::api::platform::{Disk, Platform};
use crate::api::{Api, read};
use crate::context::Context;
use crate::error::Kind;

/// Fewer free inodes than this and builds soon fail.
const INODES_MIN: u64 = 50_000;

/// Looks at the server; what cannot be asked because of an earlier failure is left out.
pub(super) fn findings(context: &Context) -> Vec<Finding> {
    let credentials = match context.credentials() {
        Ok(credentials) => credentials,
        Err(error) => return vec![Finding::of("server", error)],
    };
    let api = Api::new(&credentials);
    let answered = match api.get("/health") {
        // What /health says matters less than that somebody says it.
        Ok(_) => Ok(()),
        Err(error) if error.kind == Kind::Failed => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = answered {
        let hint = format!("Is {} the right address, and does `paasd serve` run there?", credentials.url);
        return vec![Finding::failed("server", error.message).hint(hint)];
    }
    let reached = Finding::good("server", format!("{} answers", credentials.url));
    let token = match api.get("/account").and_then(|body| read::<User>(&body)) {
        Ok(user) => Finding::good("token", format!("of {}", user.email)),
        Err(error) => return vec![reached, Finding::of("token", error)],
    };
    let mut findings = vec![reached, token];
    match api.get("/platform").and_then(|body| read::<Platform>(&body)) {
        Ok(platform) => {
            findings.extend(of_platform(&platform));
            let now = context.screen.now();
            findings.extend(platform.backups.as_ref().map(|made| backups::finding(made, now)));
            findings.extend(platform.tls.iter().flat_map(|tls| tls::findings(tls, now)));
        }
        Err(error) => findings.push(Finding::of("platform", error)),
    }
    findings
}

fn of_platform(platform: &Platform) -> Vec<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    let mut findings = vec![if platform.version == ours {
        Finding::good("version", format!("{ours} here and there"))
    } else {
        Finding::care("version", format!("{ours} here, {} there", platform.version))
            .hint("Use the paasctl that came with the server.")
    }];
    let engine = format!("{} on {}", platform.engine, platform.stack);
    let engine = if platform.mode.root { engine } else { format!("{engine}, without root") };
    findings.push(Finding::good("engine", engine));
    findings.extend(platform.degraded.iter().map(|what| Finding::care("engine", what.clone())));
    findings.push(of_disk(&platform.disk, platform.data_dir.as_deref()));
    let running = wording::count(usize::try_from(platform.replicas).unwrap_or(usize::MAX), "replica");
    let apps = wording::count(usize::try_from(platform.apps).unwrap_or(usize::MAX), "app");
    let place = platform.router_url.as_deref().map(|url| format!(" behind {url}")).unwrap_or_default();
    findings.push(Finding::good("apps", format!("{apps}, {running}{place}")));
    findings
}

fn of_disk(disk: &Disk, data_dir: Option<&str>) -> Finding {
    let place = data_dir.map(|dir| format!(" in {dir}")).unwrap_or_default();
    let text =
        format!("{} of {} free{place}", wording::bytes(disk.free_bytes), wording::bytes(disk.total_bytes));
    let hint = "Make room: builds are refused before the disk is full.";
    if disk.free_bytes <= disk.reserve_bytes {
        return Finding::failed("disk", format!("{text}; {} are kept", wording::bytes(disk.reserve_bytes)))
            .hint(hint);
    }
    match disk.free_inodes {
        Some(inodes) if inodes < INODES_MIN => {
            Finding::failed("disk", format!("{text}, but only {inodes} inodes")).hint(hint)
        }
        _ if disk.free_bytes < disk.total_bytes / 10 => Finding::care("disk", text).hint(hint),
        _ => Finding::good("disk", text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_disk_without_room_or_inodes_fails_before_it_is_full() {
        let disk = |free_bytes, free_inodes| {
            let disk = Disk {
                free_bytes,
                total_bytes: 100_000,
                free_inodes: Some(free_inodes),
                reserve_bytes: 1_000,
            };
            of_disk(&disk, None).state
        };
        assert_eq!(disk(50_000, 1_000_000), State::Good);
        assert_eq!(disk(9_000, 1_000_000), State::Care);
        assert_eq!(disk(900, 1_000_000), State::Failed);
        assert_eq!(disk(50_000, 10), State::Failed);
    }
}

//! The installation itself: is it there, what can it do, how much room has it.

use model::replica::Phase;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use crate::backup::nightly;
use crate::disk::Room;
use crate::options::EngineChoice;

/// Answers as soon as the server serves and its database answers.
pub(super) async fn health(call: Call) -> Result<Answer, ApiError> {
    store::find_fact(&mut *call.read().await?, "health").await?;
    Ok(Answer::ok(json!({ "status": "ok" })))
}

/// What Heroku's CLI asks a status site.
pub(super) async fn status(_: Call) -> Result<Answer, ApiError> {
    let system = |name: &str| json!({ "system": name, "status": "green" });
    let status: Vec<Value> = ["Apps", "Data", "Tools"].into_iter().map(system).collect();
    Ok(Answer::ok(json!({ "status": status, "incidents": [], "scheduled": [] })))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let options = &call.platform.options;
    let report = call.platform.facts.report();
    let apps = store::count_apps(&mut *call.read().await?).await?;
    let last = nightly::last(&mut *call.read().await?).await?;
    let backups = options.backups.as_ref().map(|place| json!({ "place": place.to_string(), "last": last }));
    let room = Room::at(&options.data_dir).map_err(anyhow::Error::from)?;
    let reports = call.platform.facts.reports();
    let running = reports.replicas().filter(|(_, replica)| replica.phase != Phase::Ended).count();
    let router = options.router_listen;
    let certs = options.dir("certs");
    let tls = json!({
        "listen": options.router_tls_listen,
        "dir": certs,
        "certificates": tokio::task::spawn_blocking(move || certificates(&certs)).await.map_err(anyhow::Error::from)?,
    });
    Ok(Answer::ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "stack": call.platform.builder.stack(),
        "engine": if options.engine == EngineChoice::Docker { "docker" } else { "sandbox" },
        "mode": { "root": rustix::process::geteuid().is_root() },
        "degraded": report.degraded,
        "doubt": call.platform.outlook.fleet().doubt.map(|doubt| doubt.to_string()),
        "disk": {
            "free_bytes": room.free_bytes,
            "total_bytes": room.total_bytes,
            "free_inodes": room.free_inodes,
            "reserve_bytes": options.reserve_bytes,
        },
        "backups": backups,
        "data_dir": options.data_dir,
        "domain": options.domain,
        "router_url": format!("http://{router}"),
        "tls": tls,
        "apps": apps,
        "replicas": running,
    })))
}

/// Returns what lies in the directory of the certificates: each with its end, or what is wrong with it.
fn certificates(dir: &std::path::Path) -> Vec<Value> {
    let found = router::find_certificates(dir).unwrap_or_default().into_iter().map(|found| {
        let expires_at = found.expires.as_ref().ok().and_then(|at| jiff::Timestamp::try_from(*at).ok());
        json!({ "name": found.name, "expires_at": expires_at, "problem": found.expires.err() })
    });
    found.collect()
}

//! What administrators do with hosts: add, drain, resume, remove, and try out what happens when one fails.

use store::{Host, HostState};

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;
use super::hosts::{find, full};

pub(super) async fn drain(call: Call) -> Result<Answer, ApiError> {
    let reason = format!("{} drains it", call.actor().email);
    set_drained(call, true, Some(&reason)).await
}

pub(super) async fn resume(call: Call) -> Result<Answer, ApiError> {
    set_drained(call, false, None).await
}

async fn set_drained(call: Call, drain: bool, reason: Option<&str>) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let host = find(&call, &mut tx).await?;
    let changed = store::set_host_drained(&mut tx, host.id, drain, reason).await?;
    let host = changed.ok_or_else(|| ApiError::not_found("host"))?;
    commit(tx).await?;
    call.platform.wished();
    answer(&call, &host).await
}

/// Forgets a host. Its agent is let in no more.
pub(super) async fn remove(call: Call) -> Result<Answer, ApiError> {
    let force = call.query.get("force").is_some_and(|force| force == "true");
    let mut tx = call.write().await?;
    let host = find(&call, &mut tx).await?;
    if host.id == call.platform.facts.here() {
        return Err(ApiError::conflict(format!("{} is this server's own host", host.name))
            .hint(format!("`paasctl hosts:drain {}` keeps replicas off it", host.name)));
    }
    let shown = full(&call, &mut tx, &host).await?;
    let replicas = shown["replicas"].as_u64().unwrap_or_default();
    if replicas > 0 && host.state != HostState::Lost && !force {
        let name = &host.name;
        return Err(ApiError::conflict(format!("{replicas} replicas are on {name}")).hint(format!(
            "`paasctl hosts:drain {name} --wait` moves them first; --force gives them up and starts others elsewhere"
        )));
    }
    store::remove_host(&mut tx, host.id, &format!("{} removed it", call.actor().email)).await?;
    commit(tx).await?;
    call.platform.facts.forget(host.id);
    call.platform.wishes.forget(host.id);
    call.platform.wished();
    Ok(Answer::ok(shown).noting("host", host.name))
}

/// Has the host's agent end all its replicas at once, as a crash of each would.
pub(super) async fn drill(call: Call) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let host = find(&call, &mut tx).await?;
    let before = full(&call, &mut tx, &host).await?;
    if before["state"] == "silent" || host.state == HostState::Lost {
        return Err(ApiError::conflict(format!("nothing is heard of {}: it cannot be told", host.name))
            .hint(format!("`paasctl hosts:info {}` shows it", host.name)));
    }
    store::drill_host(&mut tx, host.id).await?;
    commit(tx).await?;
    call.platform.wished();
    Ok(Answer::accepted(before).noting("host", host.name))
}

async fn answer(call: &Call, host: &Host) -> Result<Answer, ApiError> {
    let shown = full(call, &mut *call.read().await?, host).await?;
    Ok(Answer::ok(shown).noting("host", host.name.as_str()))
}

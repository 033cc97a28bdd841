//! What administrators do with hosts: add, drain, resume, remove, and try out what happens when one fails.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{Host, HostState, NewJoinToken};

use super::answer::{Answer, time};
use super::call::{Call, commit};
use super::error::ApiError;
use super::fields::Fields;
use super::hosts::{find, full};

/// How long a join token works unless something else was asked for, and at most.
const TOKEN: SignedDuration = SignedDuration::from_mins(15);
const TOKEN_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Longest name of a host or a zone.
const NAME_MAX: usize = 63;

/// Makes the token with which one machine joins.
pub(super) async fn add(call: Call) -> Result<Answer, ApiError> {
    let Some(listen) = call.platform.options.agent_listen else {
        return Err(ApiError::conflict("this server listens to no agents of other hosts")
            .hint("start it with --agent-listen 0.0.0.0:5001"));
    };
    let name = label(&call.fields, "name")?;
    let zone = label(&call.fields, "zone")?.unwrap_or_else(|| "local".to_owned());
    let ttl = match call.fields.number("ttl_seconds")? {
        Some(seconds) => {
            SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(SignedDuration::MAX)
        }
        None => TOKEN,
    };
    if ttl < SignedDuration::from_secs(1) || ttl > TOKEN_MAX {
        return Err(ApiError::invalid("a join token works for a second at least and a day at most"));
    }
    let mut tx = call.write().await?;
    if let Some(name) = &name
        && store::find_host_named(&mut tx, name).await?.is_some()
    {
        return Err(ApiError::invalid(format!("there is a host {name} already"))
            .hint("`paasctl hosts:remove` forgets one that is no more"));
    }
    let expires_at = Timestamp::now() + ttl;
    let new = NewJoinToken { name: name.as_deref(), zone: &zone, expires_at, user: call.actor().user };
    let (token, secret) = store::create_join_token(&mut tx, new).await?;
    store::forget_join_tokens(&mut tx).await?;
    commit(tx).await?;
    let server = call.base();
    let server = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    let shown = json!({
        "id": token.id,
        "name": name,
        "zone": zone,
        "token": call.platform.agents.join_token(&secret),
        "server": format!("https://{host}:{}", listen.port()),
        "expires_at": time(expires_at),
    });
    Ok(Answer::created(shown).noting("name", name).noting("zone", zone))
}

/// Reads the name of a host or a zone: letters, digits, dots, dashes and underscores.
fn label(fields: &Fields, field: &'static str) -> Result<Option<String>, ApiError> {
    let is_fit = |text: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.chars().all(plain)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= NAME_MAX
    };
    match fields.text(field)? {
        Some(text) if !is_fit(&text) => Err(ApiError::invalid(format!(
            "`{field}` is made of letters, digits, dashes, dots and underscores, {NAME_MAX} at most, and begins with a \
             letter or digit"
        ))),
        text => Ok(text),
    }
}

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
    call.platform.agents.forget(host.id);
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
    call.platform.wishes.drill(host.id);
    call.platform.wished();
    Ok(Answer::accepted(before).noting("host", host.name))
}

async fn answer(call: &Call, host: &Host) -> Result<Answer, ApiError> {
    let shown = full(call, &mut *call.read().await?, host).await?;
    Ok(Answer::ok(shown).noting("host", host.name.as_str()))
}

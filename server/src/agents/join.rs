//! A machine becomes a host, and a host gets a fresh certificate.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use fleet::{About, Enrol, Join, Joined, Renew, Renewed, fingerprint_of_request};
use store::{Host, HostFacts};
use tracing::info;

use super::admission::Caller;
use super::refusal::Refusal;
use super::registrar::Registrar;
use crate::platform::Platform;

/// The longest name of a host.
const NAME_MAX: usize = 63;

pub(super) async fn join(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    Json(join): Json<Join>,
) -> Result<Json<Joined>, Refusal> {
    let key =
        fingerprint_of_request(&join.request).map_err(|error| Refusal::invalid(format!("{error:#}")))?;
    let mut tx = platform.store.write().await?;
    let Some(token) = store::use_join_token(&mut tx, &join.secret).await? else {
        // The answer was lost, and it asks again.
        if let Some(host) = store::host_of_join_token(&mut tx, &join.secret, &key).await? {
            return Ok(Json(platform.agents.joined(&host, &join.request)?));
        }
        return Err(Refusal::forbidden(
            "the join token is unknown, has expired, or was used already; `paasctl hosts:add` makes another",
        ));
    };
    let name = token.name.clone().unwrap_or(join.name);
    if !is_name(&name) {
        return Err(Refusal::invalid("a host's name has up to 63 letters, digits, dots and dashes"));
    }
    let host = match store::create_host(&mut tx, &name, &token.zone, &key).await {
        Err(store::Error::Taken { .. }) => {
            let hosts = store::list_hosts(&mut tx).await?;
            return Err(taken(&name, hosts.iter().find(|host| host.key_fingerprint.as_ref() == Some(&key))));
        }
        made => made?,
    };
    store::set_host_facts(&mut tx, host.id, &facts(join.about, caller.from)).await?;
    store::set_join_token_host(&mut tx, token.id, host.id).await?;
    let joined = platform.agents.joined(&host, &join.request)?;
    tx.commit().await?;
    info!(host.id = %host.id, "{name} joined as a host, zone {}", token.zone);
    platform.wished();
    Ok(Json(joined))
}

/// Why a machine cannot become a host of this name; `same` has its key.
fn taken(name: &str, same: Option<&Host>) -> Refusal {
    Refusal::invalid(match same {
        Some(Host { name, .. }) => format!(
            "this machine joined as {name} already, with the key in its data directory; \
             `paasctl hosts:remove {name}` lets it join anew"
        ),
        None => format!("there is a host {name} already; --name gives another name"),
    })
}

pub(super) async fn enrol(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    Json(enrol): Json<Enrol>,
) -> Result<Json<Joined>, Refusal> {
    let Some(cloud) = &platform.cloud else {
        return Err(Refusal::forbidden("the hosts of this platform are not instances that it launched"));
    };
    let registrar = Registrar { store: &platform.store, agents: &platform.agents, cloud };
    let joined = registrar.enrol(enrol, caller.from).await?;
    platform.wished();
    Ok(Json(joined))
}

pub(super) async fn renew(
    State(platform): State<Arc<Platform>>,
    Extension(host): Extension<Arc<Host>>,
    Json(renew): Json<Renew>,
) -> Result<Json<Renewed>, Refusal> {
    let key =
        fingerprint_of_request(&renew.request).map_err(|error| Refusal::invalid(format!("{error:#}")))?;
    if host.key_fingerprint.as_ref() != Some(&key) {
        return Err(Refusal::forbidden("a certificate is renewed for the key that the host joined with"));
    }
    let certificate = platform.agents.authority.host_certificate(host.id, &renew.request)?;
    info!(host.id = %host.id, "{} has a fresh certificate", host.name);
    Ok(Json(Renewed { certificate }))
}

/// Returns what a host says of itself, its address taken from the connection where it says none.
pub(super) fn facts(about: About, from: IpAddr) -> HostFacts {
    HostFacts {
        address: Some(about.address.unwrap_or(from)),
        entry_port: about.entry_port,
        memory_bytes: about.memory_bytes,
        cpu_millicores: about.cpu_millicores,
        version: about.version.map(short),
        engine: about.engine.map(short),
    }
}

/// What is shown to people is short.
fn short(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

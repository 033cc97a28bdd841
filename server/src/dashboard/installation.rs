//! The platform itself, for administrators: what it is, how much room it has, on which hosts it runs, who may use it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use model::access::Scope;
use model::wording;
use serde::Deserialize;
use serde_json::json;

use super::Dashboard;
use super::backups::Backups;
use super::client::Refusal;
use super::page::{Frame, Submitted, Visitor};
use super::words;

/// How long the first token of a user works.
const INVITATION_SECONDS: u32 = 7 * 86_400;

/// Hosts that are shown unless all are asked for.
const HOSTS: usize = 30;

#[derive(Template)]
#[template(path = "platform.html")]
struct PlatformPage {
    frame: Frame,
    now: Installation,
    free: String,
    total: String,
    reserve: String,
    /// How much of the disk is used, in percent.
    used: u64,
    /// How many hosts there are, and how many stand how, where there are too many to see at a glance.
    census: Option<String>,
    /// Those that are shown: first those that somebody should look at.
    hosts: Vec<HostLine>,
    /// How many are not.
    more_hosts: usize,
    users: Vec<UserLine>,
    invitation: Option<Invitation>,
    at: Timestamp,
}

/// A user who was just added. The secret is shown on this one page.
struct Invitation {
    email: String,
    secret: String,
}

#[derive(Deserialize)]
struct Installation {
    version: String,
    stack: String,
    engine: String,
    degraded: Vec<String>,
    doubt: Option<String>,
    disk: Disk,
    backups: Option<Backups>,
    data_dir: String,
    domain: String,
    router_url: String,
    apps: u64,
    replicas: u64,
}

#[derive(Deserialize)]
struct Disk {
    free_bytes: u64,
    total_bytes: u64,
    reserve_bytes: u64,
}

#[derive(Deserialize)]
struct HostJson {
    name: String,
    zone: String,
    state: String,
    reason: Option<String>,
    notice: Option<String>,
    memory_bytes: Option<u64>,
    memory_free_bytes: Option<u64>,
    cpu_millicores: Option<u64>,
    cpu_free_millicores: Option<u64>,
    cpu_used: Option<f64>,
    cpu_total: Option<f64>,
    memory_used_bytes: Option<u64>,
    memory_total_bytes: Option<u64>,
    replicas: usize,
    last_seen_at: Option<Timestamp>,
}

struct HostLine {
    name: String,
    zone: String,
    state: String,
    style: &'static str,
    drains: bool,
    reason: Option<String>,
    /// What its cloud told it: that it is taken back, or due for maintenance.
    notice: Option<String>,
    replicas: String,
    free: Option<String>,
    /// What its machine has in use, as a phrase.
    used: Option<String>,
    seen: Option<String>,
}

/// What part of the page is asked for.
#[derive(Deserialize)]
struct Part {
    /// `all`, to see every host.
    hosts: Option<String>,
}

#[derive(Deserialize)]
struct HostName {
    host: String,
}

#[derive(Deserialize)]
struct User {
    email: String,
    scope: String,
    disabled: bool,
    created_at: Timestamp,
}

struct UserLine {
    email: String,
    scope: String,
    disabled: bool,
    since: String,
    this: bool,
}

#[derive(Deserialize)]
struct NewUser {
    email: String,
    scope: String,
}

#[derive(Deserialize)]
struct Disable {
    email: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/platform", get(show))
        .route("/platform/hosts/drain", post(drain_host))
        .route("/platform/hosts/resume", post(resume_host))
        .route("/platform/users", post(add_user))
        .route("/platform/users/disable", post(disable_user))
}

async fn show(visitor: Visitor, Query(part): Query<Part>) -> Response {
    let most = if part.hosts.as_deref() == Some("all") { usize::MAX } else { HOSTS };
    visitor.page(view(&visitor, None, most).await)
}

async fn view(
    visitor: &Visitor,
    invitation: Option<Invitation>,
    most: usize,
) -> Result<PlatformPage, Refusal> {
    // Who may not see the users is refused by that route.
    let users: Vec<User> = visitor.get(&["users"]).await?;
    let now: Installation = visitor.get(&["platform"]).await?;
    let mut hosts: Vec<HostJson> = visitor.all(&["hosts"]).await?;
    let census = (hosts.len() > HOSTS).then(|| census(&hosts));
    let more_hosts = hosts.len().saturating_sub(most);
    hosts.sort_by_key(|host| host.state == "ready");
    hosts.truncate(most);
    let Disk { free_bytes, total_bytes, reserve_bytes } = now.disk;
    Ok(PlatformPage {
        frame: visitor.frame("Platform", "platform"),
        free: wording::bytes(free_bytes),
        total: wording::bytes(total_bytes),
        reserve: wording::bytes(reserve_bytes),
        used: (total_bytes.saturating_sub(free_bytes)) * 100 / total_bytes.max(1),
        census,
        hosts: hosts.into_iter().map(host).collect(),
        more_hosts,
        users: users.into_iter().map(|user| line(visitor, user)).collect(),
        now,
        invitation,
        at: Timestamp::now(),
    })
}

/// Returns how many hosts there are and how many stand how, as a sentence: `500 hosts: 497 ready, 3 silent`.
fn census(hosts: &[HostJson]) -> String {
    let states = hosts.iter().map(|host| host.state.as_str());
    format!("{}: {}", wording::count(hosts.len(), "host"), wording::tally(states))
}

/// Returns what of a host's machine is in use, whoever uses it: `in use 1.1 GB of 8.0 GB, 0.3 of 2.0 cores`.
fn used(host: &HostJson) -> Option<String> {
    let memory = host
        .memory_used_bytes
        .zip(host.memory_total_bytes)
        .map(|(used, of)| format!("{} of {}", wording::bytes(used), wording::bytes(of)));
    let cpu = host.cpu_used.zip(host.cpu_total).map(|(used, of)| format!("{used:.1} of {of:.1} cores"));
    let both: Vec<String> = memory.into_iter().chain(cpu).collect();
    (!both.is_empty()).then(|| format!("in use {}", both.join(", ")))
}

fn host(host: HostJson) -> HostLine {
    let memory = host
        .memory_free_bytes
        .zip(host.memory_bytes)
        .map(|(free, offered)| format!("{} of {} free", wording::bytes(free), wording::bytes(offered)));
    let cores = |millicores: u64| format!("{}.{}", millicores / 1_000, millicores % 1_000 / 100);
    let cpu = host.cpu_free_millicores.zip(host.cpu_millicores);
    let cpu = cpu.map(|(free, offered)| format!("{} of {} cores", cores(free), cores(offered)));
    let free: Vec<String> = memory.into_iter().chain(cpu).collect();
    let used = used(&host);
    HostLine {
        style: match host.state.as_str() {
            "ready" => "healthy",
            "draining" => "draining",
            "returning" => "changing",
            _ => "problem",
        },
        drains: host.state == "draining",
        reason: host.reason.filter(|_| host.state != "ready"),
        notice: host.notice,
        replicas: wording::count(host.replicas, "replica"),
        free: (!free.is_empty()).then(|| free.join(", ")),
        used,
        seen: host.last_seen_at.map(words::ago),
        name: host.name,
        zone: host.zone,
        state: host.state,
    }
}

async fn drain_host(Submitted(visitor, HostName { host }): Submitted<HostName>) -> Response {
    let drained = visitor.send(Method::POST, &["hosts", &host, "actions", "drain"], &json!({})).await;
    let said = format!("{host} drains: its replicas leave when others answer in their place.");
    visitor.done("/platform", drained.map(|_| said))
}

async fn resume_host(Submitted(visitor, HostName { host }): Submitted<HostName>) -> Response {
    let resumed = visitor.send(Method::POST, &["hosts", &host, "actions", "resume"], &json!({})).await;
    visitor.done("/platform", resumed.map(|_| format!("{host} takes replicas again.")))
}

fn line(visitor: &Visitor, user: User) -> UserLine {
    UserLine {
        since: words::ago(user.created_at),
        this: user.email == visitor.session.actor.email,
        email: user.email,
        scope: user.scope,
        disabled: user.disabled,
    }
}

/// Adds a user, with a token to sign in with the first time.
async fn add_user(Submitted(visitor, new): Submitted<NewUser>) -> Response {
    match invite(&visitor, &new).await {
        Ok(invitation) => visitor.page(view(&visitor, Some(invitation), HOSTS).await),
        Err(refusal) => visitor.done("/platform", Err(refusal)),
    }
}

async fn invite(visitor: &Visitor, new: &NewUser) -> Result<Invitation, Refusal> {
    let email = new.email.trim().to_ascii_lowercase();
    let scope: Scope = new.scope.parse().map_err(Refusal::invalid)?;
    visitor.send(Method::POST, &["users"], &json!({ "email": email, "scope": scope })).await?;
    let body = json!({
        "description": "invitation", "scope": [scope], "user": email, "expires_in": INVITATION_SECONDS,
    });
    let token = visitor.send(Method::POST, &["oauth", "authorizations"], &body).await?;
    let secret = token["access_token"]["token"].as_str().unwrap_or_default().to_owned();
    Ok(Invitation { email, secret })
}

async fn disable_user(Submitted(visitor, Disable { email }): Submitted<Disable>) -> Response {
    let disabled = visitor.send(Method::DELETE, &["users", &email], &json!({})).await;
    visitor.done("/platform", disabled.map(|_| format!("{email} may do nothing any more.")))
}

//! Host names of an app: its own, which follows from its name, and those that were added.

use model::name::Hostname;
use serde_json::{Value, json};
use store::Domain;

use super::answer::{Answer, time};
use super::apps::app_ref;
use super::call::{Call, commit};
use super::error::ApiError;
use crate::options::Options;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let domains = store::list_domains(&mut *call.read().await?, call.app().id).await?;
    let custom = domains.iter().map(|domain| shown(&call, domain));
    Ok(Answer::list(std::iter::once(own(&call)).chain(custom).collect(), &["hostname", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let wanted = call.parameter("domain");
    let own = own(&call);
    if own["hostname"] == wanted || own["id"] == wanted {
        return Ok(Answer::ok(own));
    }
    let domain = find(&call).await?;
    Ok(Answer::ok(shown(&call, &domain)))
}

pub(super) async fn add(call: Call) -> Result<Answer, ApiError> {
    let hostname: Hostname =
        call.fields.name("hostname")?.ok_or_else(|| ApiError::invalid("`hostname` is missing"))?;
    check_foreign(&call, &hostname)?;
    let mut tx = call.write().await?;
    if store::find_domain(&mut tx, call.app().id, hostname.as_str()).await?.is_some() {
        return Err(already(&call, &hostname));
    }
    let domain =
        store::create_domain(&mut tx, call.app().id, &hostname).await.map_err(|error| match error {
            store::Error::Taken { .. } => ApiError::from(error)
                .hint("another app has it; whoever owns that can let it go with `paasctl domains:remove`"),
            error => error.into(),
        })?;
    commit(tx).await?;
    call.platform.wished();
    Ok(Answer::created(shown(&call, &domain)).noting("hostname", hostname.as_str()))
}

/// Certificates are not kept per domain yet; the request is taken and changes nothing.
pub(super) async fn update(call: Call) -> Result<Answer, ApiError> {
    let domain = find(&call).await?;
    Ok(Answer::ok(shown(&call, &domain)).noting("hostname", domain.hostname.as_str()))
}

pub(super) async fn remove(call: Call) -> Result<Answer, ApiError> {
    if own(&call)["hostname"] == call.parameter("domain") {
        return Err(ApiError::invalid("the app's own host name follows from its name and cannot be removed"));
    }
    let domain = find(&call).await?;
    let mut tx = call.write().await?;
    store::delete_domain(&mut tx, domain.id).await?;
    commit(tx).await?;
    call.platform.wished();
    Ok(Answer::ok(shown(&call, &domain)).noting("hostname", domain.hostname.as_str()))
}

async fn find(call: &Call) -> Result<Domain, ApiError> {
    let wanted = call.parameter("domain").to_ascii_lowercase();
    let found = store::find_domain(&mut *call.read().await?, call.app().id, &wanted).await?;
    found.ok_or_else(|| ApiError::not_found("domain").hint("`paasctl domains` lists them"))
}

/// The names under the platform's own domain belong to the apps of these names, also to those to come.
fn check_foreign(call: &Call, hostname: &Hostname) -> Result<(), ApiError> {
    if own_hostname(call) == hostname.as_str() {
        return Err(already(call, hostname));
    }
    if is_the_platforms(&call.platform.options, hostname.as_str()) {
        return Err(ApiError::invalid(format!("{hostname} is the platform's own name")));
    }
    let platform = call.platform.options.domain.as_str();
    let name = hostname.as_str().trim_start_matches("*.");
    if name == platform || name.strip_suffix(platform).is_some_and(|rest| rest.ends_with('.')) {
        let message = format!("names under {platform} follow from the apps' names and cannot be added");
        return Err(ApiError::invalid(message).hint("`paasctl apps:rename` gives an app another name"));
    }
    let owns = [platform, call.platform.options.api_host.as_str()];
    if owns.into_iter().any(|own| takes(hostname, own)) {
        let message = format!("{hostname} would take the platform's own names, which are below {name}");
        return Err(ApiError::invalid(message).hint("a name without `*` can be added"));
    }
    Ok(())
}

/// Tells whether a name with `*` is one for all below it, and this is below it.
fn takes(hostname: &Hostname, own: &str) -> bool {
    let below = hostname.as_str().strip_prefix('*');
    below.is_some_and(|below| own.ends_with(below))
}

/// Tells whether load balancers lead a name to the control plane itself.
pub(super) fn is_the_platforms(options: &Options, name: &str) -> bool {
    options.fleet.is_some() && options.api_host.as_str() == name
}

fn already(call: &Call, hostname: &Hostname) -> ApiError {
    let name = &call.app().name;
    ApiError::invalid(format!("{name} has the domain {hostname} already"))
        .hint(format!("`paasctl domains -a {name}` lists them"))
}

fn own_hostname(call: &Call) -> String {
    format!("{}.{}", call.app().name, call.platform.options.domain)
}

fn own(call: &Call) -> Value {
    let app = call.app();
    // There is one per app and it has no row: the app's id is as good as one of its own.
    domain_json(call, &app.id.to_string(), (&own_hostname(call), "heroku"), app.created_at)
}

fn shown(call: &Call, domain: &Domain) -> Value {
    domain_json(call, &domain.id.to_string(), (domain.hostname.as_str(), "custom"), domain.created_at)
}

fn domain_json(call: &Call, id: &str, (hostname, kind): (&str, &str), at: jiff::Timestamp) -> Value {
    let address = call.platform.facts.witness().and_then(|witness| witness.address(call.app().id));
    json!({
        "id": id,
        "hostname": hostname,
        "kind": kind,
        "cname": address.or_else(|| (kind == "custom").then(|| own_hostname(call))),
        "status": if kind == "custom" { "none" } else { "succeeded" },
        "sni_endpoint": null,
        "acm_status": null,
        "acm_status_reason": null,
        "app": app_ref(call.app()),
        "created_at": time(at),
        "updated_at": time(at),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_for_all_below_it_takes_what_is_below_it() {
        let takes = |hostname: &str| super::takes(&hostname.parse().unwrap(), "apps.example.org");
        assert!(takes("*.example.org") && takes("*.org"));
        for others in ["example.org", "*.ample.org", "*.example.com", "*.shop.apps.example.org"] {
            assert!(!takes(others), "{others}");
        }
    }
}

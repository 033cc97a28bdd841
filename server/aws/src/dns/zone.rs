//! What is in a hosted zone, and changes to it.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};
use model::name::Hostname;

use super::{ZONE_TAG, ZoneId};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::ClusterName;

/// How many names one call changes. A thousand records are allowed.
pub(super) const AT_ONCE: usize = 100;

/// What is in a zone.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The platform's records.
    pub(super) ours: BTreeMap<Hostname, ResourceRecordSet>,
    /// The records of others.
    #[cfg_attr(not(feature = "fleet"), allow(dead_code, reason = "who removes ours does not ask"))]
    pub(super) others: Vec<ResourceRecordSet>,
}

/// Returns what the platform's records are marked with.
pub(super) fn mark(cluster: &ClusterName) -> String {
    format!("paas-{cluster}")
}

pub(super) async fn name(clients: &Clients, zone: &ZoneId) -> Result<Hostname, Failure> {
    let call = clients.route53.get_hosted_zone().id(zone.as_str());
    let answer = call.send().await.of("route53:GetHostedZone")?;
    let name = answer.hosted_zone().and_then(|zone| hostname(zone.name()));
    name.ok_or_else(|| refused("route53:GetHostedZone", "the zone's name is none of a host".to_owned()))
}

pub(super) async fn list(
    clients: &Clients,
    zone: &ZoneId,
    cluster: &ClusterName,
) -> Result<Contents, Failure> {
    let (mut contents, mark) = (Contents::default(), mark(cluster));
    let mut from: (Option<String>, Option<RrType>, Option<String>) = (None, None, None);
    loop {
        let call = clients.route53.list_resource_record_sets().hosted_zone_id(zone.as_str());
        let call = call.set_start_record_name(from.0).set_start_record_type(from.1);
        let call = call.set_start_record_identifier(from.2);
        let page = call.send().await.of("route53:ListResourceRecordSets")?;
        for record in page.resource_record_sets() {
            match hostname(record.name()).filter(|_| record.set_identifier() == Some(&mark)) {
                Some(name) => drop(contents.ours.insert(name, record.clone())),
                None => contents.others.push(record.clone()),
            }
        }
        if !page.is_truncated() {
            return Ok(contents);
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        from = (
            text(page.next_record_name()),
            page.next_record_type().cloned(),
            text(page.next_record_identifier()),
        );
    }
}

/// Carries out changes, in the order given: all of them, or none.
pub(super) async fn change<'a>(
    clients: &Clients,
    zone: &ZoneId,
    changes: impl IntoIterator<Item = &'a (ChangeAction, ResourceRecordSet)>,
) -> Result<(), Failure> {
    let action = "route53:ChangeResourceRecordSets";
    let changes = changes.into_iter().map(|(action, record)| {
        Change::builder().action(action.clone()).resource_record_set(record.clone()).build()
    });
    let changes =
        changes.collect::<Result<Vec<_>, _>>().map_err(|error| refused(action, error.to_string()))?;
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build();
    let batch = batch.map_err(|error| refused(action, error.to_string()))?;
    let call = clients.route53.change_resource_record_sets().hosted_zone_id(zone.as_str());
    call.change_batch(batch).send().await.of("route53:ChangeResourceRecordSets").map(drop)
}

/// Tells what is wrong with a zone in which names are to be kept.
pub(crate) async fn check(clients: &Clients, zone: &ZoneId) -> Result<(), Failure> {
    match name(clients, zone).await {
        // It was not made a moment ago, so that there is nothing to wait for.
        Err(failure) if failure.kind == Kind::Unknown => Err(Failure { kind: Kind::Refused, ..failure }),
        outcome => outcome.map(drop),
    }
}

/// Tells whether a platform has names in a zone. One that is gone has none.
pub(crate) async fn has_names(
    clients: &Clients,
    zone: &ZoneId,
    cluster: &ClusterName,
) -> Result<bool, Failure> {
    match list(clients, zone, cluster).await {
        Err(failure) if failure.kind == Kind::Unknown => Ok(false),
        outcome => outcome.map(|contents| !contents.ours.is_empty()),
    }
}

/// Removes all names of a platform.
pub(crate) async fn remove_names(
    clients: &Clients,
    zone: &ZoneId,
    cluster: &ClusterName,
) -> Result<(), Failure> {
    let ours = list(clients, zone, cluster).await?.ours;
    let gone: Vec<_> = ours.into_values().map(|record| (ChangeAction::Delete, record)).collect();
    for some in gone.chunks(AT_ONCE) {
        change(clients, zone, some).await?;
    }
    Ok(())
}

/// Returns the zone that the tags of the launch template name.
pub(crate) fn zone_of(tags: &[Tag]) -> Option<ZoneId> {
    tags.iter().find(|tag| tag.key() == Some(ZONE_TAG))?.value()?.parse().ok()
}

pub(super) fn refused(action: &'static str, message: String) -> Failure {
    Failure { kind: Kind::Refused, action, code: "not sent".into(), message }
}

/// Reads a name as Route 53 writes it: with a dot at its end, and with an asterisk as an escaped number.
pub(super) fn plain(text: &str) -> String {
    text.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase()
}

fn hostname(text: &str) -> Option<Hostname> {
    plain(text).parse().ok()
}

//! Keeps the platform's names in a hosted zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_route53::types::{AliasTarget, ChangeAction, ResourceRecordSet, RrType};
use cloud::entrance::{Kept, Listed, NamesWish, RecordKeeper, Refused};
use model::entrance::{ObservedRecords, RecordChanges, is_in, record_changes, records_wish};
use model::name::Hostname;

use super::zone::{self, Contents};
use super::{ZoneId, zone_of};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::entrance::refused;
use crate::failure::{Failure, Kind};
use crate::setup::{ClusterName, ours};

/// What is done to one name: its record, or what is in the place of it, goes, and a new one comes.
type Steps = Vec<(ChangeAction, ResourceRecordSet)>;

/// The names of a platform in the hosted zone that its set-up names, if it names one.
#[derive(Debug)]
pub struct Names {
    clients: Arc<Clients>,
    cluster: ClusterName,
}

#[async_trait]
impl RecordKeeper for Names {
    async fn keep_names(
        &self,
        wish: &NamesWish,
        may: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Kept, Refused> {
        self.keep(wish, may).await.map_err(refused)
    }
}

impl Names {
    /// Keeps the names of this platform.
    #[must_use]
    pub fn new(clients: Arc<Clients>, cluster: ClusterName) -> Self {
        Self { clients, cluster }
    }

    async fn keep(&self, wish: &NamesWish, may: &(dyn Fn() -> bool + Send + Sync)) -> Result<Kept, Failure> {
        let Some(id) = self.zone().await? else { return Ok(Kept::default()) };
        let Some(first) = wish.balancers.first() else { return Ok(Kept::default()) };
        let zone = zone::name(&self.clients, &id).await?;
        let contents = zone::list(&self.clients, &id, &self.cluster).await?;
        let wanted = records_wish(&wish.domain, &wish.control, &first.address, &wish.apps);
        let changes = record_changes(&wanted, &wish.domain, &zone, &observed(&contents));
        let steps = self.steps(wish, &contents, &changes)?;
        let mut kept = Kept { changed: 0, alarms: alarms(wish, &zone, &changes) };
        for some in steps.chunks(zone::AT_ONCE) {
            if !may() {
                break;
            }
            if self.attempt(&id, some).await?.is_none() {
                kept.changed += some.len();
                continue;
            }
            // One that is wrong takes the others with it.
            for one in some.chunks(1).take_while(|_| may()) {
                match self.attempt(&id, one).await? {
                    None => kept.changed += 1,
                    Some(wrong) => kept.alarms.push(wrong.to_string()),
                }
            }
        }
        Ok(kept)
    }

    /// Takes all steps, or none; returns what is wrong with one of them.
    async fn attempt(&self, zone: &ZoneId, some: &[Steps]) -> Result<Option<Failure>, Failure> {
        match zone::change(&self.clients, zone, some.iter().flatten()).await {
            Ok(()) => Ok(None),
            Err(failure) if failure.kind == Kind::Refused => Ok(Some(failure)),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the zone that the set-up names.
    async fn zone(&self) -> Result<Option<ZoneId>, Failure> {
        let call = self.clients.ec2.describe_launch_templates().filters(ours(&self.cluster));
        let all: Vec<_> =
            call.into_paginator().items().send().try_collect().await.of("ec2:DescribeLaunchTemplates")?;
        Ok(all.iter().find_map(|template| zone_of(template.tags())))
    }

    /// Returns what is to be done to each name.
    fn steps(
        &self,
        wish: &NamesWish,
        contents: &Contents,
        changes: &RecordChanges,
    ) -> Result<Vec<Steps>, Failure> {
        let by_address: BTreeMap<&str, &Listed> =
            wish.balancers.iter().map(|balancer| (balancer.address.as_str(), balancer)).collect();
        let gone =
            |name: &Hostname| contents.ours.get(name).map(|record| (ChangeAction::Delete, record.clone()));
        let mut steps: Vec<Steps> =
            changes.removed.iter().map(|name| gone(name).into_iter().collect()).collect();
        for (name, on) in &changes.set {
            // One that is gone by now is no place to lead to.
            let Some(balancer) = by_address.get(on.as_str()) else { continue };
            let odd = gone(name).filter(|(_, record)| *record.r#type() != RrType::A);
            steps.push(
                odd.into_iter().chain([(ChangeAction::Upsert, self.record(name, balancer)?)]).collect(),
            );
        }
        Ok(steps)
    }

    fn record(&self, name: &Hostname, balancer: &Listed) -> Result<ResourceRecordSet, Failure> {
        let alias = AliasTarget::builder()
            .hosted_zone_id(&balancer.zone)
            .dns_name(&balancer.address)
            .evaluate_target_health(false)
            .build();
        let record = alias.and_then(|alias| {
            ResourceRecordSet::builder()
                .name(name.as_str())
                .r#type(RrType::A)
                .set_identifier(zone::mark(&self.cluster))
                .weight(1)
                .alias_target(alias)
                .build()
        });
        record.map_err(|error| zone::refused("route53:ChangeResourceRecordSets", error.to_string()))
    }
}

fn observed(contents: &Contents) -> ObservedRecords {
    let has_address =
        |record: &&ResourceRecordSet| matches!(record.r#type(), RrType::A | RrType::Aaaa | RrType::Cname);
    let taken = contents.others.iter().filter(has_address);
    ObservedRecords {
        ours: contents.ours.iter().map(|(name, record)| (name.clone(), leads_to(record))).collect(),
        taken: taken.filter_map(|record| zone::plain(record.name()).parse().ok()).collect(),
        others: contents.others.iter().map(|record| zone::plain(record.name())).collect(),
    }
}

/// Returns the address of the balancer that a record leads to, as balancers are listed; of one that somebody has changed, nothing.
fn leads_to(record: &ResourceRecordSet) -> String {
    let is_plain = *record.r#type() == RrType::A && record.weight() == Some(1);
    let alias = record.alias_target().filter(|alias| is_plain && !alias.evaluate_target_health());
    alias.map(|alias| zone::plain(alias.dns_name())).unwrap_or_default()
}

fn alarms(wish: &NamesWish, zone: &Hostname, changes: &RecordChanges) -> Vec<String> {
    let refused = changes.refused.iter().map(|name| {
        format!(
            "{name} has a record in the zone {zone} that the platform did not make, and that stays as it is"
        )
    });
    let outside = (!is_in(&wish.domain, zone))
        .then(|| format!("{} is not in the zone {zone}, so that no record leads there", wish.domain));
    refused.chain(outside).collect()
}

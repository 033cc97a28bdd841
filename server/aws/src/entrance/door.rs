//! The control plane's own way in, at the first load balancer: a target group with its servers, by instance, and a rule that leads its
//! name there. Both carry a tag of their own, so that they are taken for no app's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::PoisonError;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, Instance};
use cloud::entrance::{Check, Door, DoorKeeper, DoorWish, Leads, Listed, Refused, Rule};
use model::entrance::{Target, TargetHealth};
use model::instances::InstanceId;

use super::tags::Tagged;
use super::{LoadBalancers, read, refused};
use crate::call::Of as _;
use crate::control::CONTROL_PART;
use crate::failure::{Failure, Kind};
use crate::setup::PART_TAG;

/// The server's own path for this. It answers 503 as long as the database does not answer it.
const HEALTH: &str = "/health";

/// The numbers for the rule: before all those that are for apps.
const PRIORITIES: Range<u32> = 100..500;

#[async_trait]
impl DoorKeeper for LoadBalancers {
    async fn keep(&self, wish: &DoorWish) -> Result<Door, Refused> {
        self.keep_door(wish).await.map_err(refused)
    }
}

impl LoadBalancers {
    async fn keep_door(&self, wish: &DoorWish) -> Result<Door, Failure> {
        let Some(balancer) = self.first_balancer().await? else {
            return Err(lacking(
                "elasticloadbalancing:DescribeLoadBalancers",
                "there is no load balancer".into(),
            ));
        };
        let own = self.instance_at(wish.server.ip(), &balancer.network).await?;
        let own = Target { instance: own, port: wish.server.port() };
        let door = |health| Door { address: balancer.address.clone(), health };
        let Some(group) = self.door_group(&balancer, wish.leads).await? else { return Ok(door(None)) };
        let listed = self.door_targets(&group).await?;
        let health = listed.get(&own).filter(|health| **health != TargetHealth::Draining);
        if health.is_none() {
            self.add_targets(&group, std::slice::from_ref(&own)).await?;
        }
        if wish.leads {
            self.keep_door_rule(&balancer, wish, &group).await?;
        }
        let others: BTreeSet<&Target> = listed
            .iter()
            .filter(|(target, health)| **target != own && **health != TargetHealth::Draining)
            .map(|(target, _)| target)
            .collect();
        // One that this server had before it got another port is its own to take out.
        let former = others.iter().filter(|target| target.instance == own.instance);
        let mut gone: Vec<Target> = former.map(|target| (*target).clone()).collect();
        if wish.leads {
            gone.extend(self.gone(&own.instance, &others).await?);
        }
        if !gone.is_empty() {
            self.remove_targets(&group, &gone).await?;
        }
        Ok(door(Some(health.cloned().unwrap_or(TargetHealth::Initial))))
    }

    /// Returns the instance of the network that has this address.
    async fn instance_at(&self, address: IpAddr, network: &str) -> Result<InstanceId, Failure> {
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let at = filter("private-ip-address", &address.to_string());
        let call = self.clients.ec2.describe_instances().filters(at).filters(filter("vpc-id", network));
        let all: Vec<_> =
            call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
        let mut alive =
            all.iter().flat_map(|reservation| reservation.instances()).filter(|one| is_alive(one));
        let id = alive.find_map(|instance| instance.instance_id()?.parse().ok());
        id.ok_or_else(|| {
            let says = format!(
                "no instance in the load balancer's network {network} has this server's address {address}"
            );
            lacking("ec2:DescribeInstances", says)
        })
    }

    /// Returns the door's group, made or set as wanted if that is this server's to do.
    async fn door_group(&self, balancer: &Listed, leads: bool) -> Result<Option<String>, Failure> {
        let name = format!("paas-{}-control", self.cluster);
        let check = Check { path: HEALTH.to_owned(), interval: 10, timeout: 5, good: 2, bad: 2, plain: true };
        let all = self.tagged_groups().await?;
        let found =
            all.iter().find(|(group, tags)| is_the_doors(tags) && group.target_group_name() == Some(&name));
        let arn = found.and_then(|(group, _)| group.target_group_arn());
        match (found, arn) {
            (Some((group, _)), Some(arn)) => {
                if leads && read::check(group) != check {
                    self.change_check(arn, &check).await?;
                }
                Ok(Some(arn.to_owned()))
            }
            _ if leads => {
                let tags = [(PART_TAG, CONTROL_PART)];
                self.make_tagged_group(&name, &balancer.network, &check, &tags).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn door_targets(&self, group: &str) -> Result<BTreeMap<Target, TargetHealth>, Failure> {
        let call = self.clients.elb.describe_target_health().target_group_arn(group);
        let answer = call.send().await.of("elasticloadbalancing:DescribeTargetHealth")?;
        Ok(read::health(answer.target_health_descriptions()))
    }

    /// Makes one rule lead the control plane's name to its servers, and no second one.
    async fn keep_door_rule(&self, balancer: &Listed, wish: &DoorWish, group: &str) -> Result<(), Failure> {
        let rules = self.rules_with(&balancer.listener, is_the_doors).await?;
        let leads = Leads { hosts: [wish.host.clone()].into(), group: group.to_owned() };
        let (kept, more) = match rules.iter().filter(|rule| rule.ours).collect::<Vec<&Rule>>()[..] {
            [] => {
                let taken: BTreeSet<u32> = rules.iter().map(|rule| rule.priority).collect();
                let free = PRIORITIES.into_iter().find(|number| !taken.contains(number));
                let priority = free.unwrap_or(PRIORITIES.start);
                return self
                    .make_rule(&balancer.listener, priority, &leads, &[(PART_TAG, CONTROL_PART)])
                    .await;
            }
            [kept, ref more @ ..] => (kept, more.to_vec()),
        };
        if kept.hosts != leads.hosts || kept.group.as_ref() != Some(&leads.group) {
            self.change_rule(&kept.arn, &leads).await?;
        }
        for rule in more {
            self.drop_rule(&rule.arn).await?;
        }
        self.clear_others(balancer).await
    }

    /// Removes the rule from listeners that were in use before the one that has it now. Nobody makes one there again.
    async fn clear_others(&self, balancer: &Listed) -> Result<(), Failure> {
        let others: BTreeSet<String> = balancer.others.iter().cloned().collect();
        let clear = {
            let mut clear = self.clear.lock().unwrap_or_else(PoisonError::into_inner);
            clear.retain(|listener| others.contains(listener));
            clear.clone()
        };
        for listener in others.difference(&clear) {
            let rules = self.rules_with(listener, is_the_doors).await?;
            for rule in rules.iter().filter(|rule| rule.ours) {
                self.drop_rule(&rule.arn).await?;
            }
            self.clear.lock().unwrap_or_else(PoisonError::into_inner).insert(listener.clone());
        }
        Ok(())
    }

    /// Returns those targets whose instances run no more. An answer in which this server's own instance is missing is not believed.
    async fn gone(&self, own: &InstanceId, others: &BTreeSet<&Target>) -> Result<Vec<Target>, Failure> {
        let asked: BTreeSet<&InstanceId> =
            others.iter().map(|target| &target.instance).chain([own]).collect();
        if asked.len() == 1 {
            return Ok(Vec::new());
        }
        let ids = asked.iter().map(|id| id.as_str().to_owned()).collect();
        let by_id = Filter::builder().name("instance-id").set_values(Some(ids)).build();
        let call = self.clients.ec2.describe_instances().filters(by_id);
        let all: Vec<_> =
            call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
        let instances = all.iter().flat_map(|reservation| reservation.instances());
        let alive: BTreeSet<&str> =
            instances.filter(|one| is_alive(one)).filter_map(|one| one.instance_id()).collect();
        if !alive.contains(own.as_str()) {
            return Ok(Vec::new());
        }
        let gone = others.iter().filter(|target| !alive.contains(target.instance.as_str()));
        Ok(gone.map(|target| (*target).clone()).collect())
    }
}

fn is_the_doors(tags: &Tagged) -> bool {
    tags.get(PART_TAG).is_some_and(|part| part == CONTROL_PART)
}

fn is_alive(instance: &Instance) -> bool {
    let state = instance.state().and_then(|state| state.name()).map(|name| name.as_str());
    matches!(state, Some("pending" | "running"))
}

fn lacking(action: &'static str, says: String) -> Failure {
    Failure { kind: Kind::Refused, action, code: "not found".into(), message: says }
}

//! Rules of the platform that lead to its target groups from load balancers that stay: those that were adopted, or tagged by hand.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{Listener, Rule, Tag, TargetGroup};

use super::look::known;
use super::{CLUSTER_TAG, Wish};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::Failure;

/// How many resources a call may ask the tags of.
const TAGS_AT_ONCE: usize = 20;

/// Removes the platform's own rules from the load balancers that serve these groups.
///
/// # Errors
/// AWS did not do it.
pub(super) async fn remove_rules(clients: &Clients, wish: &Wish, groups: &[String]) -> Result<(), Failure> {
    let call = clients.elb.describe_target_groups().into_paginator().items().send();
    let all: Vec<TargetGroup> = call.try_collect().await.of("elasticloadbalancing:DescribeTargetGroups")?;
    let goes = |group: &&TargetGroup| {
        group.target_group_arn().is_some_and(|arn| groups.iter().any(|one| one == arn))
    };
    let balancers: BTreeSet<&String> =
        all.iter().filter(goes).flat_map(|group| group.load_balancer_arns()).collect();
    for balancer in balancers {
        for listener in listeners(clients, balancer).await? {
            for rule in own_rules(clients, wish, &listener).await? {
                let call = clients.elb.delete_rule().rule_arn(rule);
                known(call.send().await.of("elasticloadbalancing:DeleteRule"))?;
            }
        }
    }
    Ok(())
}

async fn listeners(clients: &Clients, balancer: &str) -> Result<Vec<String>, Failure> {
    let call = clients.elb.describe_listeners().load_balancer_arn(balancer).into_paginator().items().send();
    let all: Option<Vec<Listener>> =
        known(call.try_collect().await.of("elasticloadbalancing:DescribeListeners"))?;
    let all = all.unwrap_or_default();
    Ok(all.iter().filter_map(|listener| listener.listener_arn()).map(str::to_owned).collect())
}

/// Returns the platform's rules of a listener.
async fn own_rules(clients: &Clients, wish: &Wish, listener: &str) -> Result<Vec<String>, Failure> {
    let call = clients.elb.describe_rules().listener_arn(listener).into_paginator().items().send();
    let all: Option<Vec<Rule>> = known(call.try_collect().await.of("elasticloadbalancing:DescribeRules"))?;
    let all = all.unwrap_or_default();
    let more = all.iter().filter(|rule| rule.is_default() != Some(true));
    let arns: Vec<String> = more.filter_map(|rule| rule.rule_arn()).map(str::to_owned).collect();
    let mut ours = Vec::new();
    for some in arns.chunks(TAGS_AT_ONCE) {
        let call = clients.elb.describe_tags().set_resource_arns(Some(some.to_vec()));
        let Some(answer) = known(call.send().await.of("elasticloadbalancing:DescribeTags"))? else {
            continue;
        };
        let is_ours = |tag: &Tag| tag.key() == Some(CLUSTER_TAG) && tag.value() == Some(wish.name.as_str());
        let tagged = answer.tag_descriptions().iter().filter(|of| of.tags().iter().any(is_ours));
        ours.extend(tagged.filter_map(|of| of.resource_arn()).map(str::to_owned));
    }
    Ok(ours)
}

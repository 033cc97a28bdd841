//! The calls, one by one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    Listener, LoadBalancer, LoadBalancerTypeEnum, ProtocolEnum, Rule as AwsRule, TargetGroup,
};
use cloud::entrance::{Balancers, Check, Group, Leads, Listed, Manners, NewGroup, Refused, Rule};
use model::entrance::{Target, TargetHealth};

use super::tags::{self, Tagged};
use super::{APP_TAG, BALANCER_TAG, LoadBalancers, read, refused};
use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::setup::{CLUSTER_TAG, PART_TAG};

#[async_trait]
impl Balancers for LoadBalancers {
    async fn balancers(&self) -> Result<Vec<Listed>, Refused> {
        self.list_balancers().await.map_err(refused)
    }

    async fn groups(&self) -> Result<Vec<Group>, Refused> {
        self.list_groups().await.map_err(refused)
    }

    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Refused> {
        self.list_rules(listener).await.map_err(refused)
    }

    async fn manners(&self, group: &str) -> Result<Manners, Refused> {
        let call = self.clients.elb.describe_target_group_attributes().target_group_arn(group);
        let answer = call.send().await.of("elasticloadbalancing:DescribeTargetGroupAttributes");
        answer.map(|answer| read::manners(answer.attributes())).map_err(refused)
    }

    async fn health(&self, group: &str) -> Result<BTreeMap<Target, TargetHealth>, Refused> {
        let call = self.clients.elb.describe_target_health().target_group_arn(group);
        let answer = call.send().await.of("elasticloadbalancing:DescribeTargetHealth");
        answer.map(|answer| read::health(answer.target_health_descriptions())).map_err(refused)
    }

    async fn create_group(&self, new: &NewGroup) -> Result<String, Refused> {
        self.make_group(new).await.map_err(refused)
    }

    async fn set_check(&self, group: &str, check: &Check) -> Result<(), Refused> {
        self.change_check(group, check).await.map_err(refused)
    }

    async fn set_manners(&self, group: &str, manners: &Manners) -> Result<(), Refused> {
        self.change_manners(group, manners).await.map_err(refused)
    }

    async fn delete_group(&self, group: &str) -> Result<(), Refused> {
        let call = self.clients.elb.delete_target_group().target_group_arn(group);
        gone(call.send().await.of("elasticloadbalancing:DeleteTargetGroup").map(drop)).map_err(refused)
    }

    async fn create_rule(&self, listener: &str, priority: u32, leads: &Leads) -> Result<(), Refused> {
        self.make_rule(listener, priority, leads, &[]).await.map_err(refused)
    }

    async fn set_rule(&self, rule: &str, leads: &Leads) -> Result<(), Refused> {
        self.change_rule(rule, leads).await.map_err(refused)
    }

    async fn delete_rule(&self, rule: &str) -> Result<(), Refused> {
        self.drop_rule(rule).await.map_err(refused)
    }

    async fn register(&self, group: &str, targets: &[Target]) -> Result<(), Refused> {
        self.add_targets(group, targets).await.map_err(refused)
    }

    async fn deregister(&self, group: &str, targets: &[Target]) -> Result<(), Refused> {
        self.remove_targets(group, targets).await.map_err(refused)
    }
}

/// What is not there is gone.
fn gone(answer: Result<(), Failure>) -> Result<(), Failure> {
    answer.or_else(|failure| if failure.kind == Kind::Unknown { Ok(()) } else { Err(failure) })
}

impl LoadBalancers {
    pub(super) async fn drop_rule(&self, rule: &str) -> Result<(), Failure> {
        let call = self.clients.elb.delete_rule().rule_arn(rule);
        gone(call.send().await.of("elasticloadbalancing:DeleteRule").map(drop))
    }

    pub(super) async fn list_balancers(&self) -> Result<Vec<Listed>, Failure> {
        let mut listed = Vec::new();
        for (ours, one) in self.used().await? {
            listed.extend(self.listed(&one, ours).await?);
        }
        Ok(listed)
    }

    /// Returns the oldest balancer that has a listener; that of others is not asked for.
    pub(super) async fn first_balancer(&self) -> Result<Option<Listed>, Failure> {
        for (ours, one) in self.used().await? {
            if let Some(listed) = self.listed(&one, ours).await? {
                return Ok(Some(listed));
            }
        }
        Ok(None)
    }

    /// Returns the balancers that were adopted or are the platform's, with whether they are, the oldest first.
    async fn used(&self) -> Result<Vec<(bool, LoadBalancer)>, Failure> {
        let call = self.clients.elb.describe_load_balancers().into_paginator().items().send();
        let all: Vec<LoadBalancer> =
            call.try_collect().await.of("elasticloadbalancing:DescribeLoadBalancers")?;
        let is_application = |one: &&LoadBalancer| one.r#type() == Some(&LoadBalancerTypeEnum::Application);
        let all: Vec<LoadBalancer> = all.iter().filter(is_application).cloned().collect();
        let arns: Vec<String> =
            all.iter().filter_map(|one| one.load_balancer_arn()).map(str::to_owned).collect();
        // There are few, and people may tag one at any time.
        let tags = tags::ask(&self.clients, &arns).await?;
        let is_ours =
            |one: &LoadBalancer| self.is_ours(one.load_balancer_arn().and_then(|arn| tags.get(arn)));
        let is_adopted = |one: &LoadBalancer| {
            one.load_balancer_arn().is_some_and(|arn| self.adopted.iter().any(|known| known == arn))
        };
        let known = all.into_iter().map(|one| (is_ours(&one), one));
        let mut used: Vec<_> = known.filter(|(ours, one)| *ours || is_adopted(one)).collect();
        used.sort_by_key(|(_, one)| {
            (one.created_time().map(|at| at.secs()), one.load_balancer_arn().map(str::to_owned))
        });
        Ok(used)
    }

    /// Returns a balancer with its listener for HTTPS, or else for HTTP; nothing if it has neither.
    async fn listed(&self, one: &LoadBalancer, ours: bool) -> Result<Option<Listed>, Failure> {
        let call = self
            .clients
            .elb
            .describe_listeners()
            .set_load_balancer_arn(one.load_balancer_arn().map(str::to_owned));
        let listeners: Vec<Listener> = call
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .of("elasticloadbalancing:DescribeListeners")?;
        let speaks =
            |protocol: ProtocolEnum| listeners.iter().find(move |one| one.protocol() == Some(&protocol));
        let https = speaks(ProtocolEnum::Https);
        let listener = https.or_else(|| speaks(ProtocolEnum::Http));
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let in_use = listener.and_then(Listener::listener_arn);
        let others = listeners.iter().filter(|one| one.listener_arn() != in_use && sends_on(one));
        let others = others.filter_map(Listener::listener_arn).map(str::to_owned).collect();
        Ok(listener.and_then(Listener::listener_arn).map(|listener| Listed {
            ours,
            name: text(one.load_balancer_name()),
            address: text(one.dns_name()).to_ascii_lowercase(),
            zone: text(one.canonical_hosted_zone_id()),
            listener: listener.to_owned(),
            tls: https.is_some(),
            others,
            network: text(one.vpc_id()),
        }))
    }

    async fn list_groups(&self) -> Result<Vec<Group>, Failure> {
        let group = |(group, tags): &(TargetGroup, Tagged)| {
            Some(Group {
                arn: group.target_group_arn()?.to_owned(),
                name: group.target_group_name()?.to_owned(),
                app: tags.get(APP_TAG).and_then(|app| app.parse().ok()),
                balancer: tags.get(BALANCER_TAG).cloned().unwrap_or_default(),
                check: read::check(group),
            })
        };
        let all = self.tagged_groups().await?;
        Ok(all.iter().filter(|(_, tags)| is_for_apps(tags)).filter_map(group).collect())
    }

    /// Returns the platform's target groups with their tags.
    pub(super) async fn tagged_groups(&self) -> Result<Vec<(TargetGroup, Tagged)>, Failure> {
        let call = self.clients.elb.describe_target_groups().into_paginator().items().send();
        let mut all: Vec<TargetGroup> =
            call.try_collect().await.of("elasticloadbalancing:DescribeTargetGroups")?;
        let prefix = format!("paas-{}-", self.cluster);
        all.retain(|group| group.target_group_name().is_some_and(|name| name.starts_with(&prefix)));
        let arns: Vec<String> =
            all.iter().filter_map(|one| one.target_group_arn()).map(str::to_owned).collect();
        let mut tags = self.tags.of(&self.clients, ":targetgroup/", &arns).await?;
        let with_tags = |group: TargetGroup| {
            let tags = tags.remove(group.target_group_arn()?).filter(|tags| self.is_ours(Some(tags)))?;
            Some((group, tags))
        };
        Ok(all.into_iter().filter_map(with_tags).collect())
    }

    async fn list_rules(&self, listener: &str) -> Result<Vec<Rule>, Failure> {
        self.rules_with(listener, is_for_apps).await
    }

    /// Returns the rules of a listener; those of the platform with such tags are ours.
    pub(super) async fn rules_with(
        &self,
        listener: &str,
        are_ours: impl Fn(&Tagged) -> bool,
    ) -> Result<Vec<Rule>, Failure> {
        let call = self.clients.elb.describe_rules().listener_arn(listener).into_paginator().items().send();
        let all: Vec<AwsRule> = call.try_collect().await.of("elasticloadbalancing:DescribeRules")?;
        let arns: Vec<String> = all.iter().filter_map(|rule| rule.rule_arn()).map(str::to_owned).collect();
        // Rules of one listener have its name in theirs.
        let kind = listener.replace(":listener/", ":listener-rule/");
        let tags = self.tags.of(&self.clients, &kind, &arns).await?;
        let ours = |rule: &AwsRule| {
            let tags = rule.rule_arn().and_then(|arn| tags.get(arn));
            self.is_ours(tags) && tags.is_some_and(&are_ours)
        };
        Ok(all.iter().filter_map(|rule| read::rule(rule, ours(rule))).collect())
    }

    fn is_ours(&self, tags: Option<&Tagged>) -> bool {
        tags.and_then(|tags| tags.get(CLUSTER_TAG)).is_some_and(|name| name == self.cluster.as_str())
    }
}

/// Tells whether a listener answers everybody of whom no rule says otherwise by sending them to HTTPS.
fn sends_on(listener: &Listener) -> bool {
    let answer = listener.default_actions().first().and_then(|action| action.redirect_config());
    answer.and_then(|redirect| redirect.protocol()) == Some("HTTPS")
}

/// Tells whether something of the platform is kept for apps, and is not the control plane's own.
fn is_for_apps(tags: &Tagged) -> bool {
    !tags.contains_key(PART_TAG)
}

//! What is changed at load balancers.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, HostHeaderConditionConfig, Matcher, ProtocolEnum,
    RuleCondition, Tag, TargetDescription, TargetGroupAttribute, TargetTypeEnum,
};
use cloud::entrance::{Check, Leads, Manners, NewGroup};
use model::entrance::{CLOSED, Target};

use super::read::{DRAIN_SECONDS, GOOD_ANSWERS, MAINTENANCE, MAINTENANCE_STATUS, STICKY, TRAFFIC_PORT};
use super::{APP_TAG, BALANCER_TAG, LoadBalancers};
use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::setup::CLUSTER_TAG;

/// The port of targets that are registered without one, of which there are none.
const PORT: i32 = 80;

impl LoadBalancers {
    pub(super) async fn make_group(&self, new: &NewGroup) -> Result<String, Failure> {
        let app = new.app.to_string();
        let tags = [(APP_TAG, app.as_str()), (BALANCER_TAG, &new.balancer)];
        self.make_tagged_group(&new.name, &new.network, &new.check, &tags).await
    }

    /// Makes a group with these tags beside the platform's.
    pub(super) async fn make_tagged_group(
        &self,
        name: &str,
        network: &str,
        check: &Check,
        tags: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let call = self.clients.elb.create_target_group();
        let call = call.name(name).vpc_id(network).target_type(TargetTypeEnum::Instance);
        let call = call.protocol(ProtocolEnum::Http).port(PORT);
        let call = call.health_check_enabled(true).health_check_protocol(ProtocolEnum::Http);
        let call = call.health_check_port(TRAFFIC_PORT).health_check_path(&check.path);
        let call = call.health_check_interval_seconds(seconds(check.interval));
        let call = call.health_check_timeout_seconds(seconds(check.timeout));
        let call = call.healthy_threshold_count(seconds(check.good));
        let call = call.unhealthy_threshold_count(seconds(check.bad)).matcher(good_answers());
        let call = call.set_tags(Some(self.tagged(tags)));
        let answer = call.send().await.of("elasticloadbalancing:CreateTargetGroup")?;
        let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
        arn.map(str::to_owned).ok_or_else(|| Failure {
            kind: Kind::Lost,
            action: "elasticloadbalancing:CreateTargetGroup",
            code: "no answer".into(),
            message: "the answer names no target group".into(),
        })
    }

    pub(super) async fn change_check(&self, group: &str, check: &Check) -> Result<(), Failure> {
        let call = self.clients.elb.modify_target_group().target_group_arn(group);
        let call = call.health_check_enabled(true).health_check_protocol(ProtocolEnum::Http);
        let call = call.health_check_port(TRAFFIC_PORT).health_check_path(&check.path);
        let call = call.health_check_interval_seconds(seconds(check.interval));
        let call = call.health_check_timeout_seconds(seconds(check.timeout));
        let call = call.healthy_threshold_count(seconds(check.good));
        let call = call.unhealthy_threshold_count(seconds(check.bad)).matcher(good_answers());
        call.send().await.of("elasticloadbalancing:ModifyTargetGroup").map(drop)
    }

    pub(super) async fn change_manners(&self, group: &str, manners: &Manners) -> Result<(), Failure> {
        let attribute =
            |key: &str, value: &str| TargetGroupAttribute::builder().key(key).value(value).build();
        let call = self.clients.elb.modify_target_group_attributes().target_group_arn(group);
        let call = call.attributes(attribute(DRAIN_SECONDS, &manners.drain_seconds.to_string()));
        let call = call.attributes(attribute(STICKY, if manners.sticky { "true" } else { "false" }));
        let call = call.attributes(attribute("stickiness.type", "lb_cookie"));
        call.send().await.of("elasticloadbalancing:ModifyTargetGroupAttributes").map(drop)
    }

    pub(super) async fn make_rule(
        &self,
        listener: &str,
        priority: u32,
        leads: &Leads,
        tags: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let call = self.clients.elb.create_rule().listener_arn(listener).priority(seconds(priority));
        let call = call.conditions(condition(leads)).actions(action(leads));
        let call = call.set_tags(Some(self.tagged(tags)));
        call.send().await.of("elasticloadbalancing:CreateRule").map(drop)
    }

    pub(super) async fn change_rule(&self, rule: &str, leads: &Leads) -> Result<(), Failure> {
        let call = self.clients.elb.modify_rule().rule_arn(rule);
        let call = call.conditions(condition(leads)).actions(action(leads));
        call.send().await.of("elasticloadbalancing:ModifyRule").map(drop)
    }

    pub(super) async fn add_targets(&self, group: &str, targets: &[Target]) -> Result<(), Failure> {
        let call = self.clients.elb.register_targets().target_group_arn(group);
        let call = call.set_targets(Some(targets.iter().map(description).collect()));
        call.send().await.of("elasticloadbalancing:RegisterTargets").map(drop)
    }

    pub(super) async fn remove_targets(&self, group: &str, targets: &[Target]) -> Result<(), Failure> {
        let call = self.clients.elb.deregister_targets().target_group_arn(group);
        let call = call.set_targets(Some(targets.iter().map(description).collect()));
        call.send().await.of("elasticloadbalancing:DeregisterTargets").map(drop)
    }

    /// Returns the platform's tag and some more.
    fn tagged(&self, more: &[(&str, &str)]) -> Vec<Tag> {
        let tag = |(key, value): (&str, &str)| Tag::builder().key(key).value(value).build();
        std::iter::once((CLUSTER_TAG, self.cluster.as_str())).chain(more.iter().copied()).map(tag).collect()
    }
}

fn seconds(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn good_answers() -> Matcher {
    Matcher::builder().http_code(GOOD_ANSWERS).build()
}

fn condition(leads: &Leads) -> RuleCondition {
    let Leads { hosts: names, .. } = leads;
    let names = names.iter().map(|host| host.as_str().to_owned()).collect();
    let config = HostHeaderConditionConfig::builder().set_values(Some(names)).build();
    RuleCondition::builder().field("host-header").host_header_config(config).build()
}

fn action(leads: &Leads) -> Action {
    if leads.group == CLOSED {
        let page = FixedResponseActionConfig::builder()
            .status_code(MAINTENANCE_STATUS)
            .content_type("text/html")
            .message_body(MAINTENANCE)
            .build();
        return Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(page).build();
    }
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(&leads.group).build()
}

fn description(target: &Target) -> TargetDescription {
    TargetDescription::builder().id(target.instance.as_str()).port(target.port.into()).build()
}

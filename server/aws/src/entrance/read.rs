//! What load balancers say, read into the words of `cloud::entrance`.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ProtocolEnum, Rule as AwsRule, RuleCondition, TargetGroup, TargetGroupAttribute,
    TargetHealthDescription, TargetTypeEnum,
};
use cloud::entrance::{Check, Manners, Rule};
use model::entrance::{CLOSED, Target, TargetHealth};
use model::name::Hostname;

/// The answers that count as good, as the agent's probe has it: any below 500.
pub(super) const GOOD_ANSWERS: &str = "200-499";

/// The port of each target is the one that is checked.
pub(super) const TRAFFIC_PORT: &str = "traffic-port";

/// Seconds that a target has to finish.
pub(super) const DRAIN_SECONDS: &str = "deregistration_delay.timeout_seconds";

/// Visitors stay with a target.
pub(super) const STICKY: &str = "stickiness.enabled";

/// What visitors see of an app that is closed; a balancer's own answer has at most 1,024 bytes.
pub(super) const MAINTENANCE: &str = include_str!("maintenance.html");
pub(super) const MAINTENANCE_STATUS: &str = "503";
const _: () = assert!(MAINTENANCE.len() <= 1_024);

pub(super) fn check(group: &TargetGroup) -> Check {
    let seconds = |seconds: Option<i32>| seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0);
    let plain = group.protocol() == Some(&ProtocolEnum::Http)
        && group.target_type() == Some(&TargetTypeEnum::Instance)
        && group.health_check_enabled() == Some(true)
        && group.health_check_protocol() == Some(&ProtocolEnum::Http)
        && group.health_check_port() == Some(TRAFFIC_PORT)
        && group.matcher().and_then(|matcher| matcher.http_code()) == Some(GOOD_ANSWERS);
    Check {
        path: group.health_check_path().unwrap_or_default().to_owned(),
        interval: seconds(group.health_check_interval_seconds()),
        timeout: seconds(group.health_check_timeout_seconds()),
        good: seconds(group.healthy_threshold_count()),
        bad: seconds(group.unhealthy_threshold_count()),
        plain,
    }
}

pub(super) fn manners(attributes: &[TargetGroupAttribute]) -> Manners {
    let value = |key: &str| {
        attributes
            .iter()
            .find(|attribute| attribute.key() == Some(key))
            .and_then(|attribute| attribute.value())
    };
    Manners {
        drain_seconds: value(DRAIN_SECONDS).and_then(|text| text.parse().ok()).unwrap_or(300),
        sticky: value(STICKY) == Some("true"),
    }
}

pub(super) fn health(all: &[TargetHealthDescription]) -> BTreeMap<Target, TargetHealth> {
    let one = |description: &TargetHealthDescription| {
        let target = description.target()?;
        let instance = target.id()?.parse().ok()?;
        let target = Target { instance, port: u16::try_from(target.port()?).ok()? };
        let health = description.target_health()?;
        let state = health.state().map_or("", |state| state.as_str());
        let reason = health.reason().map_or("", |reason| reason.as_str());
        Some((target, TargetHealth::of(state, reason)))
    };
    all.iter().filter_map(one).collect()
}

/// Returns a rule; nothing for the one that counts when no other does.
pub(super) fn rule(rule: &AwsRule, ours: bool) -> Option<Rule> {
    let priority = rule.priority()?.parse().ok()?;
    Some(Rule {
        arn: rule.rule_arn()?.to_owned(),
        priority,
        hosts: hosts(rule.conditions()).unwrap_or_default(),
        group: group(rule.actions()).map(str::to_owned),
        ours,
    })
}

/// Returns the names that a rule is about, if it asks for nothing else.
fn hosts(conditions: &[RuleCondition]) -> Option<BTreeSet<Hostname>> {
    let [condition] = conditions else { return None };
    if condition.field() != Some("host-header") {
        return None;
    }
    let values = match condition.host_header_config() {
        Some(config) => config.values(),
        None => condition.values(),
    };
    values.iter().map(|value| value.parse().ok()).collect()
}

/// Returns the group that a rule leads to, if it does nothing else; of one that says that an app is closed, what stands for that.
fn group(actions: &[Action]) -> Option<&str> {
    let [action] = actions else { return None };
    if let Some(page) = action.fixed_response_config() {
        let body = page.message_body().map(str::trim);
        let is_ours = page.status_code() == Some(MAINTENANCE_STATUS) && body == Some(MAINTENANCE.trim());
        return is_ours.then_some(CLOSED);
    }
    if action.r#type() != Some(&ActionTypeEnum::Forward) {
        return None;
    }
    let several = action.forward_config().map_or(&[][..], |config| config.target_groups());
    match several {
        [] => action.target_group_arn(),
        [one] => one.target_group_arn(),
        _ => None,
    }
}

//! Load balancers and their ports.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, Listener, LoadBalancer, Rule};

use super::foreign;
use super::network::holds;
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::Failure;
use crate::setup::{CLUSTER_TAG, Entrance, Found, Network, Part, Piece, Setting, Wish};

/// The attribute that drops headers which could be read in two ways.
pub(crate) const STRICT_HEADERS: &str = "routing.http.drop_invalid_header_fields.enabled";

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    match &wish.entrance {
        Entrance::Own { .. } => own(clients, wish, found).await,
        Entrance::Adopted { balancer } => adopted(clients, balancer, found).await,
    }
}

async fn own(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let call = clients.elb.describe_load_balancers().into_paginator().items().send();
    let all: Vec<LoadBalancer> = call.try_collect().await.of("elasticloadbalancing:DescribeLoadBalancers")?;
    let number = |one: &LoadBalancer| wish.name.balancer_of(one.load_balancer_name()?);
    let mut named: Vec<_> = all.iter().filter_map(|one| Some((number(one)?, one))).collect();
    named.sort_by_key(|(number, _)| *number);
    found.more_addresses.clear();
    for (number, balancer) in named {
        let Some(arn) = balancer.load_balancer_arn() else { continue };
        if !is_ours(clients, wish, arn).await? {
            let name = wish.name.of(&Part::Balancer(number));
            return Err(foreign(
                "elasticloadbalancing:DescribeLoadBalancers",
                &format!("a load balancer {name}"),
            ));
        }
        match number {
            1 => note_names(balancer, found),
            _ => found.more_addresses.extend(balancer.dns_name().map(str::to_owned)),
        }
        note_own(clients, wish, (number, balancer, arn), found).await?;
    }
    Ok(())
}

/// Notes one of our own, and its ports.
async fn note_own(
    clients: &Clients,
    wish: &Wish,
    (number, balancer, arn): (u8, &LoadBalancer, &str),
    found: &mut Found,
) -> Result<(), Failure> {
    let mut used = 0;
    for listener in listeners(clients, arn).await? {
        let (Some(id), Some(port)) = (listener.listener_arn(), port(&listener)) else { continue };
        let rules = rules(clients, id).await?;
        let holds = holds([(Setting::Answer, answers_as_wanted(&listener, port, wish))]);
        found.note(Part::Listener(number, port), Piece { id: id.to_owned(), holds, used: rules });
        used += rules;
    }
    let holds = holds([
        (Setting::Subnets, is_in_all_zones(balancer, wish)),
        (Setting::StrictHeaders, is_strict(clients, arn).await?),
    ]);
    found.note(Part::Balancer(number), Piece { id: arn.to_owned(), holds, used });
    Ok(())
}

/// Returns the subnets that a load balancer is in, by their zones.
pub(crate) fn subnets_by_zone(balancer: &LoadBalancer) -> BTreeMap<String, String> {
    let zones = balancer.availability_zones().iter();
    zones.filter_map(|zone| Some((zone.zone_name()?.to_owned(), zone.subnet_id()?.to_owned()))).collect()
}

/// Tells whether a load balancer is where hosts may be. Subnets of our own are one in a zone.
fn is_in_all_zones(balancer: &LoadBalancer, wish: &Wish) -> bool {
    let present = subnets_by_zone(balancer);
    match &wish.network {
        Network::Own { .. } => wish.zones.iter().all(|zone| present.contains_key(zone)),
        Network::Adopted { public_subnets, .. } => {
            let wanted: BTreeSet<&String> = public_subnets.iter().collect();
            present.values().collect::<BTreeSet<_>>() == wanted
        }
    }
}

/// Returns how many rules a port has but its default one.
async fn rules(clients: &Clients, listener: &str) -> Result<usize, Failure> {
    let call = clients.elb.describe_rules().listener_arn(listener).into_paginator().items().send();
    let all: Vec<Rule> = call.try_collect().await.of("elasticloadbalancing:DescribeRules")?;
    Ok(all.iter().filter(|rule| rule.is_default() != Some(true)).count())
}

async fn adopted(clients: &Clients, arn: &str, found: &mut Found) -> Result<(), Failure> {
    let call = clients.elb.describe_load_balancers().load_balancer_arns(arn);
    let answer = call.send().await.of("elasticloadbalancing:DescribeLoadBalancers")?;
    let Some(balancer) = answer.load_balancers().first() else { return Ok(()) };
    note_names(balancer, found);
    found.adopted.entrance_groups = balancer.security_groups().to_vec();
    let all = listeners(clients, arn).await?;
    let port = |listener: &Listener| Some((port(listener)?, listener.listener_arn()?.to_owned()));
    found.adopted.listeners = all.iter().filter_map(port).collect();
    Ok(())
}

fn note_names(balancer: &LoadBalancer, found: &mut Found) {
    found.address = balancer.dns_name().unwrap_or_default().to_owned();
    found.balancer_name = balancer.load_balancer_name().unwrap_or_default().to_owned();
}

async fn is_ours(clients: &Clients, wish: &Wish, arn: &str) -> Result<bool, Failure> {
    let call = clients.elb.describe_tags().resource_arns(arn);
    let answer = call.send().await.of("elasticloadbalancing:DescribeTags")?;
    let mut tags = answer.tag_descriptions().iter().flat_map(|of| of.tags());
    Ok(tags.any(|tag| tag.key() == Some(CLUSTER_TAG) && tag.value() == Some(wish.name.as_str())))
}

async fn is_strict(clients: &Clients, arn: &str) -> Result<bool, Failure> {
    let call = clients.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.of("elasticloadbalancing:DescribeLoadBalancerAttributes")?;
    let mut attributes = answer.attributes().iter();
    Ok(attributes.any(|one| one.key() == Some(STRICT_HEADERS) && one.value() == Some("true")))
}

async fn listeners(clients: &Clients, arn: &str) -> Result<Vec<Listener>, Failure> {
    let call = clients.elb.describe_listeners().load_balancer_arn(arn);
    call.into_paginator().items().send().try_collect().await.of("elasticloadbalancing:DescribeListeners")
}

fn port(listener: &Listener) -> Option<u16> {
    u16::try_from(listener.port()?).ok()
}

fn answers_as_wanted(listener: &Listener, port: u16, wish: &Wish) -> bool {
    let Entrance::Own { certificate } = &wish.entrance else { return false };
    let kind = listener.default_actions().first().and_then(Action::r#type);
    if port != 443 && certificate.is_some() {
        return kind == Some(&ActionTypeEnum::Redirect);
    }
    let certificates = listener.certificates().iter().filter_map(|one| one.certificate_arn());
    let shows = |wanted: &String| certificates.clone().any(|arn| arn == wanted);
    kind == Some(&ActionTypeEnum::FixedResponse) && (port != 443 || certificate.as_ref().is_some_and(shows))
}

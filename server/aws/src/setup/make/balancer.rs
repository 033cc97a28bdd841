//! Load balancers and their ports.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, LoadBalancerAttribute,
    LoadBalancerTypeEnum, ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum, Tag,
};

use super::{Making, told};
use crate::call::Of as _;
use crate::failure::Failure;
use crate::setup::look::{STRICT_HEADERS, subnets_by_zone};
use crate::setup::{Entrance, Network, Part, Who};

/// TLS 1.2 and 1.3, as AWS recommends.
const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

impl Making<'_> {
    pub(super) async fn balancer(&self, part: &Part) -> Result<String, Failure> {
        let call = self.clients.elb.create_load_balancer().name(self.wish.name.of(part));
        let call = call.r#type(LoadBalancerTypeEnum::Application).set_subnets(Some(self.public_subnets()?));
        let call = call.security_groups(self.id(&Part::Group(Who::Entrance))?);
        let call = call.set_tags(Some(self.elb_tags(part)));
        let answer = call.send().await.of("elasticloadbalancing:CreateLoadBalancer")?;
        let arn = answer.load_balancers().first().and_then(|balancer| balancer.load_balancer_arn());
        told("elasticloadbalancing:CreateLoadBalancer", arn)
    }

    fn public_subnets(&self) -> Result<Vec<String>, Failure> {
        match &self.wish.network {
            Network::Adopted { public_subnets, .. } => Ok(public_subnets.clone()),
            Network::Own { .. } => {
                let zones = self.wish.zones.iter().cloned();
                zones.map(|zone| self.id(&Part::PublicSubnet(zone)).map(str::to_owned)).collect()
            }
        }
    }

    /// Puts a load balancer into the zones that are wanted. In our own network it stays in those that it is in: there may be hosts.
    pub(super) async fn set_subnets(&self, part: &Part) -> Result<(), Failure> {
        let arn = self.id(part)?;
        let mut subnets = self.public_subnets()?;
        if let Network::Own { .. } = self.wish.network {
            let call = self.clients.elb.describe_load_balancers().load_balancer_arns(arn);
            let answer = call.send().await.of("elasticloadbalancing:DescribeLoadBalancers")?;
            let present: BTreeMap<String, String> =
                answer.load_balancers().first().map(subnets_by_zone).unwrap_or_default();
            let wanted = self.wish.zones.iter().cloned().zip(subnets);
            let all: BTreeMap<String, String> = wanted.chain(present).collect();
            subnets = all.into_values().collect();
        }
        let call = self.clients.elb.set_subnets().load_balancer_arn(arn).set_subnets(Some(subnets));
        call.send().await.of("elasticloadbalancing:SetSubnets").map(drop)
    }

    fn elb_tags(&self, part: &Part) -> Vec<Tag> {
        self.tags(part).map(|(key, value)| Tag::builder().key(key).value(value).build()).to_vec()
    }

    pub(super) async fn set_strict_headers(&self, part: &Part) -> Result<(), Failure> {
        let attribute = LoadBalancerAttribute::builder().key(STRICT_HEADERS).value("true").build();
        let call = self.clients.elb.modify_load_balancer_attributes();
        let call = call.load_balancer_arn(self.id(part)?).attributes(attribute);
        call.send().await.of("elasticloadbalancing:ModifyLoadBalancerAttributes").map(drop)
    }

    pub(super) async fn listener(&self, number: u8, port: u16) -> Result<String, Failure> {
        let tls = self.certificate().filter(|_| port == 443);
        let call = self.clients.elb.create_listener().load_balancer_arn(self.id(&Part::Balancer(number))?);
        let call = call.port(port.into()).default_actions(self.answer(port));
        let call = call.set_tags(Some(self.elb_tags(&Part::Listener(number, port))));
        let call = match tls {
            None => call.protocol(ProtocolEnum::Http),
            Some(arn) => call
                .protocol(ProtocolEnum::Https)
                .ssl_policy(TLS_POLICY)
                .certificates(Certificate::builder().certificate_arn(arn).build()),
        };
        let answer = call.send().await.of("elasticloadbalancing:CreateListener")?;
        let arn = answer.listeners().first().and_then(|listener| listener.listener_arn());
        told("elasticloadbalancing:CreateListener", arn)
    }

    pub(super) async fn set_answer(&self, part: &Part, port: u16) -> Result<(), Failure> {
        let arn = self.id(part)?;
        let tls = self.certificate().filter(|_| port == 443);
        let call = self.clients.elb.modify_listener().listener_arn(arn).default_actions(self.answer(port));
        let certificate = tls.map(|arn| vec![Certificate::builder().certificate_arn(arn).build()]);
        let call = call.set_certificates(certificate);
        call.send().await.of("elasticloadbalancing:ModifyListener").map(drop)
    }

    fn certificate(&self) -> Option<&str> {
        match &self.wish.entrance {
            Entrance::Own { certificate } => certificate.as_deref(),
            Entrance::Adopted { .. } => None,
        }
    }

    /// Returns what is answered to a request that is for no app.
    fn answer(&self, port: u16) -> Action {
        if port != 443 && self.certificate().is_some() {
            let redirect = RedirectActionConfig::builder()
                .protocol("HTTPS")
                .port("443")
                .status_code(RedirectActionStatusCodeEnum::Http301)
                .build();
            return Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build();
        }
        let fixed = FixedResponseActionConfig::builder()
            .status_code("404")
            .content_type("text/plain")
            .message_body("There is no app at this address.\n")
            .build();
        Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(fixed).build()
    }
}

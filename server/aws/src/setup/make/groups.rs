//! Security groups.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, UserIdGroupPair};

use super::{Making, done, missing, told};
use crate::call::Of as _;
use crate::failure::Failure;
use crate::setup::allowed::{self, Allowed};
use crate::setup::look::{allowed, groups};
use crate::setup::{Part, Who};

impl Making<'_> {
    pub(super) async fn group(&self, who: Who) -> Result<String, Failure> {
        let part = Part::Group(who);
        let call =
            self.clients.ec2.create_security_group().vpc_id(self.vpc()?).group_name(self.wish.name.of(&part));
        let call = call.description(format!("{} of the platform {}", who.words(), self.wish.name));
        let call = call.tag_specifications(self.tagged(ResourceType::SecurityGroup, &part));
        let answer = call.send().await.of("ec2:CreateSecurityGroup")?;
        told("ec2:CreateSecurityGroup", answer.group_id())
    }

    /// Lets in what is wanted first, and then nothing else, so that nobody who may come in is kept out in between.
    pub(super) async fn set_rules(&self, who: Who) -> Result<(), Failure> {
        let id = self.id(&Part::Group(who))?;
        let wanted = allowed::wanted(who, self.found).ok_or_else(|| missing(&Part::Group(who)))?;
        let all = groups(self.clients, self.wish).await?;
        let has = all.iter().find(|group| group.group_id() == Some(id)).map(allowed).unwrap_or_default();
        let lacks: Vec<_> = wanted.difference(&has).map(permission).collect();
        if !lacks.is_empty() {
            let call = self.clients.ec2.authorize_security_group_ingress().group_id(id);
            let call = call.set_ip_permissions(Some(lacks));
            done(call.send().await.of("ec2:AuthorizeSecurityGroupIngress").map(drop))?;
        }
        let beyond: Vec<_> = has.difference(&wanted).map(permission).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        let call = self.clients.ec2.revoke_security_group_ingress().group_id(id);
        call.set_ip_permissions(Some(beyond)).send().await.of("ec2:RevokeSecurityGroupIngress").map(drop)
    }
}

/// Returns one permission as AWS takes it.
pub(crate) fn permission(allowed: &Allowed) -> IpPermission {
    let (first, last) = (allowed.first, allowed.last);
    let ports = |port: i32| (port >= 0).then_some(port);
    let permission = IpPermission::builder()
        .ip_protocol(&allowed.protocol)
        .set_from_port(ports(first))
        .set_to_port(ports(last));
    let from = allowed.from.as_str();
    let permission = if from.starts_with("sg-") {
        permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(from).build())
    } else if from.starts_with("pl-") {
        permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(from).build())
    } else if from.contains(':') {
        permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(from).build())
    } else {
        permission.ip_ranges(IpRange::builder().cidr_ip(from).build())
    };
    permission.build()
}

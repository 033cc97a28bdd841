//! Roles with their policies, and the profiles that give them to machines.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::network::holds;
use super::{foreign, vpc};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::policies::Names;
use crate::setup::{CLUSTER_TAG, Found, Part, Piece, Policy, Setting, Who, Wish};

/// What the one policy in a role is called.
pub(crate) const POLICY: &str = "paas";

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    for who in [Who::Host, Who::Control] {
        role(clients, wish, who, found).await?;
        profile(clients, wish, who, found).await?;
    }
    Ok(())
}

async fn role(clients: &Clients, wish: &Wish, who: Who, found: &mut Found) -> Result<(), Failure> {
    let part = Part::Role(who);
    let name = wish.name.of(&part);
    let Some(answer) = known(clients.iam.get_role().role_name(&name).send().await.of("iam:GetRole"))? else {
        return Ok(());
    };
    let tags = answer.role().map(|role| role.tags()).unwrap_or_default();
    if !tags.iter().any(|tag| tag.key() == CLUSTER_TAG && tag.value() == wish.name.as_str()) {
        return Err(foreign("iam:GetRole", &format!("a role {name}")));
    }
    let call = clients.iam.get_role_policy().role_name(&name).policy_name(POLICY);
    let policy = known(call.send().await.of("iam:GetRolePolicy"))?;
    let has = policy.and_then(|policy| document(policy.policy_document()));
    let right = has.is_some() && has == policy_of(wish, found, clients, who);
    found.note(part, Piece { id: name, holds: holds([(Setting::Policy, right)]), used: 0 });
    Ok(())
}

async fn profile(clients: &Clients, wish: &Wish, who: Who, found: &mut Found) -> Result<(), Failure> {
    let part = Part::Profile(who);
    let name = wish.name.of(&part);
    let call = clients.iam.get_instance_profile().instance_profile_name(&name);
    let Some(answer) = known(call.send().await.of("iam:GetInstanceProfile"))? else { return Ok(()) };
    let Some(profile) = answer.instance_profile() else { return Ok(()) };
    if !profile.tags().iter().any(|tag| tag.key() == CLUSTER_TAG && tag.value() == wish.name.as_str()) {
        return Err(foreign("iam:GetInstanceProfile", &format!("an instance profile {name}")));
    }
    let right = profile.roles().iter().any(|role| role.role_name() == wish.name.of(&Part::Role(who)));
    found.note(part, Piece { id: name, holds: holds([(Setting::Role, right)]), used: 0 });
    Ok(())
}

/// Returns the policy that a role should have; none while what it names is not there.
pub(crate) fn policy_of(wish: &Wish, found: &Found, clients: &Clients, who: Who) -> Option<Value> {
    let own_name = wish.name.of(&Part::Balancer(1));
    let balancer = if found.balancer_name.is_empty() { &own_name } else { &found.balancer_name };
    let names = Names {
        cluster: &wish.name,
        account: &found.account,
        region: &clients.region,
        vpc: vpc(wish, found)?,
        balancer,
        dns_zone: wish.dns_zone.as_ref().or(found.dns_zone.as_ref()),
    };
    Policy::named(&who.to_string()).map(|policy| policy.filled(&names))
}

/// IAM escapes documents as in addresses.
fn document(text: &str) -> Option<Value> {
    serde_json::from_str(&percent_decode_str(text).decode_utf8().ok()?).ok()
}

/// Returns none for what AWS does not know.
pub(crate) fn known<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.kind == Kind::Unknown => Ok(None),
        Err(failure) => Err(failure),
    }
}

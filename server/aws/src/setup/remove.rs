//! Removes parts. What is gone already is no failure; what is still in use is tried again until it is not.

use std::time::Duration;

use aws_sdk_ec2::types::NatGatewayState;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use tokio::time::Instant;

use super::led::remove_rules;
use super::look::{POLICY, allowed, groups};
use super::make::permission;
use super::{Leftover, Part, Wish};
use crate::bake::{discard, discard_snapshot};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::dns::remove_names;
use crate::failure::{Failure, Kind};

/// AWS frees what a load balancer, a NAT gateway or an instance held some minutes after it is gone.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(2);

/// How many instances one call ends.
const AT_ONCE: usize = 100;

/// Removes what the platform made at run time, and waits until the hosts are gone.
///
/// # Errors
/// AWS did not do it.
pub(super) async fn leftovers<'a>(
    clients: &Clients,
    wish: &Wish,
    all: impl Iterator<Item = &'a Leftover>,
) -> Result<(), Failure> {
    let (mut hosts, mut target_groups) = (Vec::new(), Vec::new());
    let (mut images, mut snapshots, mut disks) = (Vec::new(), Vec::new(), Vec::new());
    let mut zone = None;
    for leftover in all {
        match leftover {
            Leftover::Host(id) | Leftover::Control(id) => hosts.push(id.clone()),
            Leftover::TargetGroup(arn) => target_groups.push(arn.clone()),
            Leftover::Disk(id) => disks.push(id),
            Leftover::Image(id) => images.push(id),
            Leftover::Snapshot(id) => snapshots.push(id),
            Leftover::Names(id) => zone = Some(id),
        }
    }
    for some in hosts.chunks(AT_ONCE) {
        let call = clients.ec2.terminate_instances().set_instance_ids(Some(some.to_vec()));
        gone(call.send().await.of("ec2:TerminateInstances").map(drop))?;
    }
    for disk in disks {
        until_unused(async || {
            clients.ec2.delete_volume().volume_id(disk).send().await.of("ec2:DeleteVolume").map(drop)
        })
        .await?;
    }
    for image in images {
        discard(clients, image).await?;
    }
    for snapshot in snapshots {
        until_unused(async || discard_snapshot(clients, snapshot).await).await?;
    }
    // A group that a rule still names cannot go. The set-up's own listeners went first; a load balancer that stays keeps its.
    if !target_groups.is_empty() {
        remove_rules(clients, wish, &target_groups).await?;
    }
    for arn in &target_groups {
        until_unused(async || {
            let call = clients.elb.delete_target_group().target_group_arn(arn);
            let answer = call.send().await.of("elasticloadbalancing:DeleteTargetGroup").map(drop);
            if answer.as_ref().is_err_and(|failure| failure.kind == Kind::Conflict) {
                // The control plane may have made one more before it ended.
                remove_rules(clients, wish, std::slice::from_ref(arn)).await?;
            }
            answer
        })
        .await?;
    }
    // Last: the control plane puts back what it misses.
    if let Some(zone) = zone {
        remove_names(clients, zone, &wish.name).await?;
    }
    Ok(())
}

/// Removes one part.
///
/// # Errors
/// AWS did not do it, or something of somebody else's still uses it.
pub(super) async fn part(clients: &Clients, wish: &Wish, part: &Part, id: &str) -> Result<(), Failure> {
    match part {
        Part::Bucket => bucket(clients, id).await,
        Part::Gateway => gateway(clients, id).await,
        Part::Nat(_) => nat(clients, id).await,
        Part::PublicRoutes | Part::PrivateRoutes(_) => routes(clients, id).await,
        Part::Group(_) => group(clients, wish, id).await,
        Part::Role(_) => role(clients, id).await,
        Part::Profile(_) => profile(clients, id).await,
        _ => until_unused(async || at_once(clients, part, id).await).await,
    }
}

/// Removes what one call removes.
async fn at_once(clients: &Clients, part: &Part, id: &str) -> Result<(), Failure> {
    let (ec2, elb) = (&clients.ec2, &clients.elb);
    match part {
        Part::Vpc => ec2.delete_vpc().vpc_id(id).send().await.of("ec2:DeleteVpc").map(drop),
        Part::PublicSubnet(_) | Part::PrivateSubnet(_) => {
            ec2.delete_subnet().subnet_id(id).send().await.of("ec2:DeleteSubnet").map(drop)
        }
        Part::Address(_) => {
            ec2.release_address().allocation_id(id).send().await.of("ec2:ReleaseAddress").map(drop)
        }
        Part::BucketEndpoint => ec2
            .delete_vpc_endpoints()
            .vpc_endpoint_ids(id)
            .send()
            .await
            .of("ec2:DeleteVpcEndpoints")
            .map(drop),
        Part::Template => {
            let call = ec2.delete_launch_template().launch_template_id(id);
            call.send().await.of("ec2:DeleteLaunchTemplate").map(drop)
        }
        Part::Balancer(_) => {
            let call = elb.delete_load_balancer().load_balancer_arn(id);
            call.send().await.of("elasticloadbalancing:DeleteLoadBalancer").map(drop)
        }
        Part::Listener(..) => {
            let call = elb.delete_listener().listener_arn(id);
            call.send().await.of("elasticloadbalancing:DeleteListener").map(drop)
        }
        _ => Ok(()),
    }
}

async fn gateway(clients: &Clients, id: &str) -> Result<(), Failure> {
    let asked = clients.ec2.describe_internet_gateways().internet_gateway_ids(id);
    let Some(answer) = known(asked.send().await.of("ec2:DescribeInternetGateways"))? else { return Ok(()) };
    let attached = answer.internet_gateways().iter().flat_map(|gateway| gateway.attachments());
    for vpc in attached.filter_map(|to| to.vpc_id()) {
        // Refused while addresses of the network are in use: those of the load balancer go a little after it.
        until_unused(async || {
            let call = clients.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
            call.send().await.of("ec2:DetachInternetGateway").map(drop)
        })
        .await?;
    }
    let call = clients.ec2.delete_internet_gateway().internet_gateway_id(id);
    gone(call.send().await.of("ec2:DeleteInternetGateway").map(drop))
}

async fn nat(clients: &Clients, id: &str) -> Result<(), Failure> {
    let call = clients.ec2.delete_nat_gateway().nat_gateway_id(id);
    gone(call.send().await.of("ec2:DeleteNatGateway").map(drop))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = clients.ec2.describe_nat_gateways().nat_gateway_ids(id).send().await;
        let Some(answer) = known(asked.of("ec2:DescribeNatGateways"))? else { return Ok(()) };
        let state = answer.nat_gateways().first().and_then(|nat| nat.state());
        if state.is_none_or(|state| *state == NatGatewayState::Deleted) || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn routes(clients: &Clients, id: &str) -> Result<(), Failure> {
    let asked = clients.ec2.describe_route_tables().route_table_ids(id).send().await;
    let Some(answer) = known(asked.of("ec2:DescribeRouteTables"))? else { return Ok(()) };
    let associations = answer.route_tables().iter().flat_map(|table| table.associations());
    for association in associations.filter_map(|one| one.route_table_association_id()) {
        let call = clients.ec2.disassociate_route_table().association_id(association);
        gone(call.send().await.of("ec2:DisassociateRouteTable").map(drop))?;
    }
    until_unused(async || {
        clients.ec2.delete_route_table().route_table_id(id).send().await.of("ec2:DeleteRouteTable").map(drop)
    })
    .await
}

/// Groups name each other in their rules, so these go first.
async fn group(clients: &Clients, wish: &Wish, id: &str) -> Result<(), Failure> {
    for group in groups(clients, wish).await? {
        let rules: Vec<_> = allowed(&group).iter().map(permission).collect();
        if let (Some(of), false) = (group.group_id(), rules.is_empty()) {
            let call =
                clients.ec2.revoke_security_group_ingress().group_id(of).set_ip_permissions(Some(rules));
            gone(call.send().await.of("ec2:RevokeSecurityGroupIngress").map(drop))?;
        }
    }
    until_unused(async || {
        clients.ec2.delete_security_group().group_id(id).send().await.of("ec2:DeleteSecurityGroup").map(drop)
    })
    .await
}

async fn role(clients: &Clients, name: &str) -> Result<(), Failure> {
    // What is gone is not removed again, so that each run comes further than the one before.
    let asked = clients.iam.get_role_policy().role_name(name).policy_name(POLICY);
    if known(asked.send().await.of("iam:GetRolePolicy"))?.is_some() {
        let call = clients.iam.delete_role_policy().role_name(name).policy_name(POLICY);
        gone(call.send().await.of("iam:DeleteRolePolicy").map(drop))?;
    }
    gone(clients.iam.delete_role().role_name(name).send().await.of("iam:DeleteRole").map(drop))
}

async fn profile(clients: &Clients, name: &str) -> Result<(), Failure> {
    let asked = clients.iam.get_instance_profile().instance_profile_name(name).send().await;
    let Some(answer) = known(asked.of("iam:GetInstanceProfile"))? else { return Ok(()) };
    let roles = answer.instance_profile().map(|profile| profile.roles()).unwrap_or_default();
    for role in roles {
        let call = clients.iam.remove_role_from_instance_profile();
        let call = call.instance_profile_name(name).role_name(role.role_name());
        gone(call.send().await.of("iam:RemoveRoleFromInstanceProfile").map(drop))?;
    }
    let call = clients.iam.delete_instance_profile().instance_profile_name(name);
    gone(call.send().await.of("iam:DeleteInstanceProfile").map(drop))
}

/// A bucket must be empty, of old versions and marks of deletion too.
async fn bucket(clients: &Clients, name: &str) -> Result<(), Failure> {
    loop {
        let asked = clients.s3.list_object_versions().bucket(name).send().await;
        let Some(page) = known(asked.of("s3:ListBucketVersions"))? else { return Ok(()) };
        let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
        let marks = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
        let all: Vec<ObjectIdentifier> = versions
            .chain(marks)
            .filter_map(|(key, version)| {
                let version = version.map(str::to_owned);
                ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
            })
            .collect();
        if all.is_empty() {
            break;
        }
        let Ok(delete) = Delete::builder().set_objects(Some(all)).quiet(true).build() else { break };
        let call = clients.s3.delete_objects().bucket(name).delete(delete);
        let answer = call.send().await.of("s3:DeleteObjectVersion")?;
        if let Some(error) = answer.errors().first() {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let (code, message) = (text(error.code()), text(error.message()));
            return Err(Failure { kind: Kind::Denied, action: "s3:DeleteObjectVersion", code, message });
        }
    }
    gone(clients.s3.delete_bucket().bucket(name).send().await.of("s3:DeleteBucket").map(drop))
}

/// Repeats a removal while something that is just going away is in use.
async fn until_unused(mut remove: impl AsyncFnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match gone(remove().await) {
            Err(failure) if failure.kind == Kind::Conflict && Instant::now() < deadline => {
                tracing::debug!(%failure, "is still in use");
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Returns success for what is gone already.
fn gone(outcome: Result<(), Failure>) -> Result<(), Failure> {
    known(outcome).map(|_| ())
}

fn known<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
    super::look::known(outcome)
}

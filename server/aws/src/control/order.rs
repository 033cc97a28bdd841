//! The control plane's machine, as EC2 takes it.

use std::net::Ipv4Addr;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataOptionsRequest, InstanceType, ResourceType, ShutdownBehavior, Tag, TagSpecification,
    VolumeType,
};
use aws_smithy_types::base64;

use super::{CONTROL_PART, Ground};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{CLUSTER_TAG, ClusterName, PART_TAG};

/// The machine as it is asked for, each time in the same words.
#[derive(Clone, Debug)]
pub(super) struct Order<'a> {
    /// The platform.
    pub(super) name: &'a ClusterName,
    /// Where.
    pub(super) ground: &'a Ground,
    /// Its address, if it is to have a certain one.
    pub(super) address: Option<Ipv4Addr>,
    /// How large its disk is, in gigabytes.
    pub(super) disk: u16,
    /// What it does at its first start.
    pub(super) script: String,
}

/// Asks for it; `token` is what EC2 knows a repetition by.
///
/// # Errors
/// AWS did not give one, or did not say.
pub(super) async fn ask(clients: &Clients, order: &Order<'_>, token: String) -> Result<(), Failure> {
    let Order { name, ground, address, disk, script } = order;
    let profile = IamInstanceProfileSpecification::builder().name(&ground.profile).build();
    // Builds run on this machine: the sandbox's firewall keeps them from the metadata, and the one hop what is in containers.
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build();
    let kinds = [ResourceType::Instance, ResourceType::Volume];
    let call = clients.ec2.run_instances().image_id(&ground.image);
    let call = call
        .instance_type(InstanceType::from(ground.instance_type.as_str()))
        .subnet_id(&ground.subnet)
        .set_private_ip_address(address.map(|address| address.to_string()))
        .security_group_ids(&ground.group)
        .iam_instance_profile(profile)
        .metadata_options(metadata)
        .block_device_mappings(root(&ground.root, *disk))
        // Off, it keeps its data, and can be started again.
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
        .user_data(base64::encode(script))
        .client_token(token)
        .min_count(1)
        .max_count(1)
        .set_tag_specifications(Some(kinds.map(|kind| tagged(kind, name)).to_vec()));
    call.send().await.of("ec2:RunInstances").map(drop)
}

/// The disk has the platform's database and its key in it, so it outlives the machine, whoever ends that.
fn root(device: &str, gigabytes: u16) -> BlockDeviceMapping {
    let disk = EbsBlockDevice::builder()
        .encrypted(true)
        .volume_type(VolumeType::Gp3)
        .volume_size(gigabytes.into())
        .delete_on_termination(false);
    BlockDeviceMapping::builder().device_name(device).ebs(disk.build()).build()
}

fn tagged(kind: ResourceType, name: &ClusterName) -> TagSpecification {
    let tags = [
        ("Name", format!("paas-{name} control plane")),
        (CLUSTER_TAG, name.to_string()),
        (PART_TAG, CONTROL_PART.to_owned()),
    ];
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.to_vec())).build()
}

/// Starts a machine that is off.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(super) async fn wake(clients: &Clients, id: &str) -> Result<(), Failure> {
    match clients.ec2.start_instances().instance_ids(id).send().await.of("ec2:StartInstances") {
        // It has just been started, or ended: the next look shows which.
        Err(failure) if failure.kind == Kind::Unknown || failure.code == "IncorrectInstanceState" => Ok(()),
        outcome => outcome.map(drop),
    }
}

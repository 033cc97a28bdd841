//! Builders at EC2: started once, ended when nobody needs them.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateSpecification, ResourceType, ShutdownBehavior, Tag, TagSpecification,
};
use aws_smithy_types::base64;

use super::{BAKE_TAG, Ground};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{CLUSTER_TAG, ClusterName};

/// A builder as it is asked for, each time in the same words.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// What AWS knows a repetition by.
    pub(super) token: String,
    /// What it does.
    pub(super) script: String,
}

/// Asks for a builder.
///
/// # Errors
/// AWS did not give one, or did not say.
pub(super) async fn start(
    clients: &Clients,
    name: &ClusterName,
    ground: &Ground,
    fingerprint: &str,
    order: &Order,
) -> Result<(), Failure> {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&ground.template)
        .version("$Default")
        .build();
    let call = clients.ec2.run_instances().launch_template(template);
    let call = call.image_id(&ground.base).instance_type(InstanceType::from(ground.instance_type.as_str()));
    let call = call.subnet_id(&ground.subnet).min_count(1).max_count(1).client_token(&order.token);
    // Off, its disk can be made an image of.
    let call = call.instance_initiated_shutdown_behavior(ShutdownBehavior::Stop);
    let call = call.user_data(base64::encode(&order.script));
    let kinds = [ResourceType::Instance, ResourceType::Volume];
    let tags = kinds.map(|kind| tagged(kind, name, fingerprint, "image builder"));
    call.set_tag_specifications(Some(tags.to_vec())).send().await.of("ec2:RunInstances").map(drop)
}

/// Ends builders; those that are gone already are no failure.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(super) async fn end(clients: &Clients, ids: &[String]) -> Result<(), Failure> {
    let call = clients.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec()));
    match call.send().await.of("ec2:TerminateInstances") {
        Err(failure) if failure.kind != Kind::Unknown => Err(failure),
        _ => Ok(()),
    }
}

/// Returns the tags of what is baked.
pub(super) fn tagged(
    kind: ResourceType,
    name: &ClusterName,
    fingerprint: &str,
    what: &str,
) -> TagSpecification {
    let tags = [
        ("Name", format!("paas-{name} {what}")),
        (CLUSTER_TAG, name.to_string()),
        (BAKE_TAG, fingerprint.to_owned()),
    ];
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.to_vec())).build()
}

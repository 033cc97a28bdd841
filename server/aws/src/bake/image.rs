//! Images at EC2: made of a builder's disk, named by the launch template, removed with their snapshots.

use aws_sdk_ec2::types::{LaunchTemplateVersion, RequestLaunchTemplateData, ResourceType};

use super::builder::tagged;
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::ClusterName;

/// How many digits of a fingerprint are in an image's name. AWS refuses a second image of a name.
const DIGITS: usize = 12;

/// Has an image made of a builder that is off.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(super) async fn capture(
    clients: &Clients,
    name: &ClusterName,
    fingerprint: &str,
    builder: &str,
) -> Result<(), Failure> {
    let digits = fingerprint.get(..DIGITS).unwrap_or(fingerprint);
    let call = clients.ec2.create_image().instance_id(builder).name(format!("paas-{name}-{digits}"));
    let call = call.description(format!("what hosts of the platform {name} start from"));
    let kinds = [ResourceType::Image, ResourceType::Snapshot];
    let tags = kinds.map(|kind| tagged(kind, name, fingerprint, "host image"));
    call.set_tag_specifications(Some(tags.to_vec())).send().await.of("ec2:CreateImage").map(drop)
}

/// Has hosts start from an image: a version of the launch template that is like the one that counts but for the image
/// counts from now on.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(super) async fn put_to_use(clients: &Clients, template: &str, image: &str) -> Result<(), Failure> {
    let call = clients.ec2.describe_launch_template_versions().launch_template_id(template);
    let all: Vec<LaunchTemplateVersion> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeLaunchTemplateVersions")?;
    let present = all.iter().find(|version| version.default_version() == Some(true)).ok_or_else(unclear)?;
    let version = match alike(&all, present, image) {
        // Made by a run that was cut off, or for an image that is used again.
        Some(version) => version,
        None => add_version(clients, template, present, image).await?,
    };
    let call = clients.ec2.modify_launch_template().launch_template_id(template);
    let call = call.default_version(version.to_string());
    call.send().await.of("ec2:ModifyLaunchTemplate").map(drop)
}

/// Returns the version that differs from the one that counts by having this image, and by nothing else.
fn alike(all: &[LaunchTemplateVersion], present: &LaunchTemplateVersion, image: &str) -> Option<i64> {
    let mut wanted = present.launch_template_data()?.clone();
    wanted.image_id = Some(image.to_owned());
    let fits = |version: &&LaunchTemplateVersion| version.launch_template_data() == Some(&wanted);
    all.iter().find(fits)?.version_number()
}

async fn add_version(
    clients: &Clients,
    template: &str,
    present: &LaunchTemplateVersion,
    image: &str,
) -> Result<i64, Failure> {
    let source = present.version_number().ok_or_else(unclear)?.to_string();
    let call = clients.ec2.create_launch_template_version().launch_template_id(template);
    let call = call.launch_template_data(RequestLaunchTemplateData::builder().image_id(image).build());
    let call = call.client_token(format!("{image}-after-{source}")).source_version(source);
    let answer = call.send().await.of("ec2:CreateLaunchTemplateVersion")?;
    let version = answer.launch_template_version().and_then(|version| version.version_number());
    version.ok_or_else(unclear)
}

fn unclear() -> Failure {
    Failure {
        kind: Kind::Lost,
        action: "ec2:CreateLaunchTemplateVersion",
        code: "unclear".into(),
        message: "the answer names no version".into(),
    }
}

/// Removes an image. Hosts that were started from it are not touched.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(crate) async fn discard(clients: &Clients, image: &str) -> Result<(), Failure> {
    let call = clients.ec2.deregister_image().image_id(image);
    gone(call.send().await.of("ec2:DeregisterImage").map(drop))
}

/// Removes a snapshot that no image is made of.
///
/// # Errors
/// AWS did not do it, or did not say.
pub(crate) async fn discard_snapshot(clients: &Clients, snapshot: &str) -> Result<(), Failure> {
    let call = clients.ec2.delete_snapshot().snapshot_id(snapshot);
    gone(call.send().await.of("ec2:DeleteSnapshot").map(drop))
}

/// Returns success for what is gone already; EC2 says of such an image that it is not available any more.
fn gone(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.kind == Kind::Unknown || failure.code == "InvalidAMIID.Unavailable" => Ok(()),
        outcome => outcome,
    }
}

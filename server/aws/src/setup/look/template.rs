//! The launch template, and the image that a new one begins with.

use aws_sdk_ec2::types::{
    Filter, Image, LaunchTemplateHttpTokensState, ResponseLaunchTemplateData, VolumeType,
};

use super::network::holds;
use super::{ours, part_of};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::dns::zone_of;
use crate::failure::{Failure, Kind};
use crate::setup::{Found, Part, Piece, Setting, Who, Wish};

/// The account that Debian publishes its images from (wiki.debian.org/Cloud/AmazonEC2Image).
const DEBIAN: &str = "136693071363";

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let call = clients.ec2.describe_launch_templates().filters(ours(&wish.name));
    let all: Vec<_> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeLaunchTemplates")?;
    for template in all {
        let (Some(id), Some(part)) = (template.launch_template_id(), part_of(template.tags())) else {
            continue;
        };
        let data = default_version(clients, id).await?;
        let right = data.is_some_and(|data| is_as_wanted(&data, wish, found));
        found.dns_zone = zone_of(template.tags());
        let named = wish.dns_zone.is_none() || wish.dns_zone == found.dns_zone;
        let holds = holds([(Setting::Content, right), (Setting::DnsZone, named)]);
        found.note(part, Piece { id: id.to_owned(), holds, used: 0 });
    }
    Ok(())
}

/// Returns what hosts are started with just now.
pub(crate) async fn default_version(
    clients: &Clients,
    id: &str,
) -> Result<Option<ResponseLaunchTemplateData>, Failure> {
    let call = clients.ec2.describe_launch_template_versions().launch_template_id(id).versions("$Default");
    let answer = call.send().await.of("ec2:DescribeLaunchTemplateVersions")?;
    let version = answer.launch_template_versions.unwrap_or_default().into_iter().next();
    Ok(version.and_then(|version| version.launch_template_data))
}

/// Tells whether new hosts are started as wanted.
pub(crate) fn is_as_wanted(data: &ResponseLaunchTemplateData, wish: &Wish, found: &Found) -> bool {
    let metadata = data.metadata_options();
    let required = metadata.and_then(|options| options.http_tokens());
    let disk = data.block_device_mappings().first().and_then(|mapping| mapping.ebs());
    let group = found.id(&Part::Group(Who::Host));
    let profile = data.iam_instance_profile().and_then(|profile| profile.name());
    [
        required == Some(&LaunchTemplateHttpTokensState::Required),
        metadata.and_then(|options| options.http_put_response_hop_limit()) == Some(1),
        disk.is_some_and(|disk| disk.encrypted() == Some(true)),
        disk.is_some_and(|disk| disk.volume_type() == Some(&VolumeType::Gp3)),
        disk.is_some_and(|disk| disk.volume_size() == Some(i32::from(wish.disk))),
        data.instance_type().is_some_and(|kind| kind.as_str() == wish.instance_type),
        profile == Some(wish.name.of(&Part::Profile(Who::Host)).as_str()),
        group.is_some() && data.security_group_ids().first().map(String::as_str) == group,
        wish.image.is_none() || data.image_id() == wish.image.as_deref(),
    ]
    .into_iter()
    .all(|right| right)
}

/// Returns an image by its id, or the newest of Debian 12.
///
/// # Errors
/// There is none.
pub(crate) async fn newest_image(clients: &Clients, id: Option<&str>) -> Result<Image, Failure> {
    let call = match id {
        Some(id) => clients.ec2.describe_images().image_ids(id),
        None => {
            let name = Filter::builder().name("name").values("debian-12-amd64-*").build();
            clients.ec2.describe_images().owners(DEBIAN).filters(name)
        }
    };
    let images: Vec<Image> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeImages")?;
    let newest = images.into_iter().max_by(|a, b| a.creation_date().cmp(&b.creation_date()));
    newest.ok_or_else(|| Failure {
        kind: Kind::Unknown,
        action: "ec2:DescribeImages",
        code: "no image".into(),
        message: format!(
            "{} does not exist here; name one with --image",
            id.unwrap_or("an image of Debian 12")
        ),
    })
}

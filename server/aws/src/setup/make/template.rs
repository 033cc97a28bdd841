//! The launch template: how hosts are started.

use aws_sdk_ec2::types::{
    Image, InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateTagSpecificationRequest,
    RequestLaunchTemplateData, ResourceType, Tag, VolumeType,
};

use super::{Making, told};
use crate::call::Of as _;
use crate::dns::{ZONE_TAG, check, remove_names};
use crate::failure::Failure;
use crate::setup::look::{default_version, is_as_wanted, newest_image};
use crate::setup::{CLUSTER_TAG, Part, Who};

/// Where a disk is when its image does not say.
const ROOT: &str = "/dev/xvda";

impl Making<'_> {
    pub(super) async fn template(&self) -> Result<String, Failure> {
        let image = newest_image(self.clients, self.wish.image.as_deref()).await?;
        let call = self.clients.ec2.create_launch_template();
        let call = call.launch_template_name(self.wish.name.of(&Part::Template));
        let call = call.launch_template_data(self.content(&image)?);
        let call = call.tag_specifications(self.tagged(ResourceType::LaunchTemplate, &Part::Template));
        let answer = call.send().await.of("ec2:CreateLaunchTemplate")?;
        let id = answer.launch_template().and_then(|template| template.launch_template_id());
        told("ec2:CreateLaunchTemplate", id)
    }

    /// Makes a new version and makes it the one that counts. The image stays unless another is asked for.
    pub(super) async fn set_content(&self) -> Result<(), Failure> {
        let id = self.id(&Part::Template)?;
        let now = default_version(self.clients, id).await?;
        let kept = now.as_ref().and_then(|data| data.image_id());
        let image = newest_image(self.clients, self.wish.image.as_deref().or(kept)).await?;
        if now.is_some_and(|data| is_as_wanted(&data, self.wish, self.found)) {
            return Ok(());
        }
        let call = self.clients.ec2.create_launch_template_version().launch_template_id(id);
        let answer = call.launch_template_data(self.content(&image)?).send().await;
        let answer = answer.of("ec2:CreateLaunchTemplateVersion")?;
        let version = answer.launch_template_version().and_then(|version| version.version_number());
        let version = told("ec2:CreateLaunchTemplateVersion", version.map(|n| n.to_string()).as_deref())?;
        let call = self.clients.ec2.modify_launch_template().launch_template_id(id).default_version(version);
        call.send().await.of("ec2:ModifyLaunchTemplate").map(drop)
    }

    /// Tells the control plane in which hosted zone it keeps names. Those in the one before go.
    pub(super) async fn set_zone(&self) -> Result<(), Failure> {
        let Some(zone) = &self.wish.dns_zone else { return Ok(()) };
        check(self.clients, zone).await?;
        if let Some(before) = self.found.dns_zone.as_ref().filter(|before| *before != zone) {
            remove_names(self.clients, before, &self.wish.name).await?;
        }
        let template = self.id(&Part::Template)?;
        let tag = Tag::builder().key(ZONE_TAG).value(zone.as_str()).build();
        let call = self.clients.ec2.create_tags().resources(template).tags(tag);
        call.send().await.of("ec2:CreateTags").map(drop)
    }

    fn content(&self, image: &Image) -> Result<RequestLaunchTemplateData, Failure> {
        let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
            .name(self.wish.name.of(&Part::Profile(Who::Host)))
            .build();
        // A container is one hop further away than its host, so that it gets no answer.
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_tokens(LaunchTemplateHttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .encrypted(true)
            .volume_type(VolumeType::Gp3)
            .volume_size(self.wish.disk.into())
            .delete_on_termination(true)
            .build();
        let disk = LaunchTemplateBlockDeviceMappingRequest::builder()
            .device_name(image.root_device_name().unwrap_or(ROOT))
            .ebs(disk)
            .build();
        let content = RequestLaunchTemplateData::builder()
            .set_image_id(image.image_id().map(str::to_owned))
            .instance_type(InstanceType::from(self.wish.instance_type.as_str()))
            .iam_instance_profile(profile)
            .security_group_ids(self.id(&Part::Group(Who::Host))?)
            .metadata_options(metadata)
            .block_device_mappings(disk);
        let tagged = [ResourceType::Instance, ResourceType::Volume].map(|kind| self.launched(kind));
        Ok(content.set_tag_specifications(Some(tagged.to_vec())).build())
    }

    /// Returns the tag of what is launched. It is no part of the set-up, so it says only whose it is.
    fn launched(&self, kind: ResourceType) -> LaunchTemplateTagSpecificationRequest {
        let tag = Tag::builder().key(CLUSTER_TAG).value(self.wish.name.as_str()).build();
        LaunchTemplateTagSpecificationRequest::builder().resource_type(kind).tags(tag).build()
    }
}

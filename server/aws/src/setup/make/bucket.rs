//! The bucket.

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};

use super::{Making, unclear};
use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::setup::look::{TIDY, all_blocked, lifecycle, tidy, tls_only};
use crate::setup::{Part, Setting};

/// The one region whose buckets must not say where they are.
const UNNAMED_REGION: &str = "us-east-1";

impl Making<'_> {
    /// Makes the bucket. It cannot be tagged in the same call; its name has the account's number in it, so that it is
    /// found again all the same.
    pub(super) async fn bucket(&self) -> Result<String, Failure> {
        let region = &self.clients.region;
        let name = self.wish.name.bucket(&self.found.account, region);
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region.as_str()))
            .build();
        let place = (region != UNNAMED_REGION).then_some(place);
        let call = self.clients.s3.create_bucket().bucket(&name).set_create_bucket_configuration(place);
        match call.send().await.of("s3:CreateBucket") {
            Err(failure) if failure.code != "BucketAlreadyOwnedByYou" => Err(failure),
            _ => Ok(name),
        }
    }

    pub(super) async fn set_bucket(&self, setting: Setting) -> Result<(), Failure> {
        let name = self.id(&Part::Bucket)?;
        let s3 = &self.clients.s3;
        match setting {
            Setting::Tags => {
                let tags = self.bucket_tags().map_err(unfit)?;
                s3.put_bucket_tagging()
                    .bucket(name)
                    .tagging(tags)
                    .send()
                    .await
                    .of("s3:PutBucketTagging")
                    .map(drop)
            }
            Setting::Private => {
                let call = s3.put_public_access_block().bucket(name);
                let call = call.public_access_block_configuration(all_blocked());
                call.send().await.of("s3:PutBucketPublicAccessBlock").map(drop)
            }
            Setting::Encrypted => {
                let call = s3.put_bucket_encryption().bucket(name);
                let call = call.server_side_encryption_configuration(encrypted().map_err(unfit)?);
                call.send().await.of("s3:PutEncryptionConfiguration").map(drop)
            }
            Setting::Versioned => {
                let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                let call = s3.put_bucket_versioning().bucket(name).versioning_configuration(on);
                call.send().await.of("s3:PutBucketVersioning").map(drop)
            }
            Setting::TlsOnly => {
                let call = s3.put_bucket_policy().bucket(name).policy(tls_only(name).to_string());
                call.send().await.of("s3:PutBucketPolicy").map(drop)
            }
            Setting::Tidied => {
                let mut rules = lifecycle(self.clients, name).await?;
                // Those of somebody else stay.
                rules.retain(|rule| rule.id() != Some(TIDY));
                rules.push(tidy().map_err(unfit)?);
                let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
                let call = s3.put_bucket_lifecycle_configuration().bucket(name);
                let call = call.lifecycle_configuration(rules.map_err(unfit)?);
                call.send().await.of("s3:PutLifecycleConfiguration").map(drop)
            }
            other => Err(unclear("aws:up", &format!("{other:?} is nothing of a bucket's"))),
        }
    }

    fn bucket_tags(&self) -> Result<Tagging, BuildError> {
        let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
        let tags = self.tags(&Part::Bucket).map(tag).into_iter().collect::<Result<_, _>>()?;
        Tagging::builder().set_tag_set(Some(tags)).build()
    }
}

fn encrypted() -> Result<ServerSideEncryptionConfiguration, BuildError> {
    let by = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by).build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build()
}

fn unfit(error: BuildError) -> Failure {
    Failure { kind: Kind::Refused, action: "s3:PutBucket", code: "unfit".into(), message: error.to_string() }
}

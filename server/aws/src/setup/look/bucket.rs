//! The bucket, and how well it keeps what is in it.

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketVersioningStatus, ExpirationStatus, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, PublicAccessBlockConfiguration,
};
use serde_json::{Value, json};

use super::foreign;
use super::network::holds;
use super::roles::known;
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::Failure;
use crate::setup::{CLUSTER_TAG, Found, Part, Piece, Setting, Wish};

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let name = wish.name.bucket(&found.account, &clients.region);
    let call = clients.s3.head_bucket().bucket(&name).expected_bucket_owner(&found.account);
    if known(call.send().await.of("s3:ListBucket"))?.is_none() {
        return Ok(());
    }
    let tagged = tagged(clients, wish, &name).await?;
    let holds = holds([
        (Setting::Tags, tagged),
        (Setting::Private, is_private(clients, &name).await?),
        (Setting::Encrypted, is_encrypted(clients, &name).await?),
        (Setting::Versioned, is_versioned(clients, &name).await?),
        (Setting::TlsOnly, policy(clients, &name).await? == Some(tls_only(&name))),
        (Setting::Tidied, lifecycle(clients, &name).await?.iter().any(tidies)),
    ]);
    found.note(Part::Bucket, Piece { id: name, holds, used: 0 });
    Ok(())
}

async fn tagged(clients: &Clients, wish: &Wish, name: &str) -> Result<bool, Failure> {
    let call = clients.s3.get_bucket_tagging().bucket(name);
    let Some(answer) = known(call.send().await.of("s3:GetBucketTagging"))? else { return Ok(false) };
    match answer.tag_set().iter().find(|tag| tag.key() == CLUSTER_TAG) {
        Some(tag) if tag.value() == wish.name.as_str() => Ok(true),
        Some(_) => Err(foreign("s3:GetBucketTagging", &format!("a bucket {name}"))),
        None => Ok(false),
    }
}

async fn is_private(clients: &Clients, name: &str) -> Result<bool, Failure> {
    let call = clients.s3.get_public_access_block().bucket(name);
    let answer = known(call.send().await.of("s3:GetBucketPublicAccessBlock"))?;
    let blocks = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(blocks.is_some_and(|blocks| blocks == all_blocked()))
}

/// Returns the setting under which nothing can be made public.
pub(crate) fn all_blocked() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

async fn is_encrypted(clients: &Clients, name: &str) -> Result<bool, Failure> {
    let call = clients.s3.get_bucket_encryption().bucket(name);
    let answer = known(call.send().await.of("s3:GetEncryptionConfiguration"))?;
    let rules = answer.as_ref().and_then(|answer| answer.server_side_encryption_configuration());
    Ok(rules.is_some_and(|rules| !rules.rules().is_empty()))
}

async fn is_versioned(clients: &Clients, name: &str) -> Result<bool, Failure> {
    let answer = clients.s3.get_bucket_versioning().bucket(name).send().await.of("s3:GetBucketVersioning")?;
    Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
}

/// Returns the rules by which a bucket removes things by itself.
pub(crate) async fn lifecycle(clients: &Clients, name: &str) -> Result<Vec<LifecycleRule>, Failure> {
    let call = clients.s3.get_bucket_lifecycle_configuration().bucket(name);
    let answer = known(call.send().await.of("s3:GetLifecycleConfiguration"))?;
    Ok(answer.map(|answer| answer.rules().to_vec()).unwrap_or_default())
}

/// What our rule is called.
pub(crate) const TIDY: &str = "paas-tidy";

/// For how many days what was overwritten or removed can be had back.
const KEPT_DAYS: i32 = 30;

/// For how many days an upload may go on.
const UPLOAD_DAYS: i32 = 1;

/// Returns the rule that keeps a versioned bucket from growing for ever.
pub(crate) fn tidy() -> Result<LifecycleRule, BuildError> {
    LifecycleRule::builder()
        .id(TIDY)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(
            NoncurrentVersionExpiration::builder().noncurrent_days(KEPT_DAYS).build(),
        )
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(UPLOAD_DAYS).build(),
        )
        .build()
}

fn tidies(rule: &LifecycleRule) -> bool {
    let kept = rule.noncurrent_version_expiration().and_then(|kept| kept.noncurrent_days());
    let upload = rule.abort_incomplete_multipart_upload().and_then(|upload| upload.days_after_initiation());
    let is_on = rule.status() == &ExpirationStatus::Enabled;
    let is_ours = rule.id() == Some(TIDY) && is_on && is_of_all(rule.filter());
    is_ours && (kept, upload) == (Some(KEPT_DAYS), Some(UPLOAD_DAYS))
}

/// Tells whether a rule is of whatever is in its bucket. S3 may leave out a prefix that is empty.
fn is_of_all(filter: Option<&LifecycleRuleFilter>) -> bool {
    let named = LifecycleRuleFilter::builder().prefix("").build();
    filter.is_some_and(|filter| *filter == named || *filter == LifecycleRuleFilter::builder().build())
}

async fn policy(clients: &Clients, name: &str) -> Result<Option<Value>, Failure> {
    let answer = known(clients.s3.get_bucket_policy().bucket(name).send().await.of("s3:GetBucketPolicy"))?;
    Ok(answer.and_then(|answer| serde_json::from_str(answer.policy()?).ok()))
}

/// Returns the policy that refuses whatever is not sent over TLS.
pub(crate) fn tls_only(name: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_rule_is_known_again_and_one_that_was_changed_is_not() {
        let rule = tidy().unwrap();
        assert!(tidies(&rule));
        let mut unnamed = rule.clone();
        unnamed.filter = Some(LifecycleRuleFilter::builder().build());
        assert!(tidies(&unnamed));
        let [mut renamed, mut off, mut longer, mut uploads, mut part] = [(); 5].map(|()| rule.clone());
        renamed.id = Some("other".into());
        off.status = ExpirationStatus::Disabled;
        longer.noncurrent_version_expiration =
            Some(NoncurrentVersionExpiration::builder().noncurrent_days(3_000).build());
        uploads.abort_incomplete_multipart_upload = None;
        part.filter = Some(LifecycleRuleFilter::builder().prefix("logs/").build());
        for changed in [renamed, off, longer, uploads, part] {
            assert!(!tidies(&changed), "{changed:?}");
        }
    }
}

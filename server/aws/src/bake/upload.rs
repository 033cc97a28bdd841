//! Brings programs into the bucket, and makes the addresses at which a builder fetches them without rights of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::config::Builder as Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::base64;
use model::slug::Digest;

use super::carry::BakeError;
use super::recipe::key;
use super::{Item, Program};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

/// How long an upload may take.
const UPLOAD_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How long an address is good for: longer than a builder may take.
const ADDRESS_FOR: Duration = Duration::from_secs(60 * 60);

/// Uploads a program unless it is there. Equal programs have equal keys. Returns whether it had to be.
///
/// # Errors
/// It cannot be read, or S3 does not take it.
pub(crate) async fn upload(clients: &Clients, bucket: &str, program: &Program) -> Result<bool, BakeError> {
    let key = key(&program.digest);
    if size(clients, bucket, &key).await? == Some(program.bytes) {
        return Ok(false);
    }
    let unreadable = |error: aws_sdk_s3::primitives::ByteStreamError| BakeError::Unreadable {
        path: program.path.clone(),
        why: error.to_string(),
    };
    let body = ByteStream::from_path(&program.path).await.map_err(unreadable)?;
    let times = TimeoutConfig::builder()
        .operation_attempt_timeout(UPLOAD_WITHIN)
        .operation_timeout(UPLOAD_WITHIN)
        .build();
    let call = clients.s3.put_object().bucket(bucket).key(key).body(body);
    // S3 compares it with what arrives.
    let call = call.checksum_sha256(base64::encode(bytes_of(program.digest.as_str())));
    let call = call.customize().config_override(Config::new().timeout_config(times));
    call.send().await.of("s3:PutObject")?;
    Ok(true)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect()
}

/// Tells whether a program was brought into the bucket.
///
/// # Errors
/// S3 does not answer.
pub(crate) async fn is_there(clients: &Clients, bucket: &str, digest: &Digest) -> Result<bool, Failure> {
    Ok(size(clients, bucket, &key(digest)).await?.is_some())
}

/// Returns the size of what has a key, or nothing if there is nothing.
async fn size(clients: &Clients, bucket: &str, key: &str) -> Result<Option<u64>, Failure> {
    match clients.s3.head_object().bucket(bucket).key(key).send().await.of("s3:GetObject") {
        Ok(answer) => Ok(answer.content_length().and_then(|bytes| u64::try_from(bytes).ok())),
        Err(failure) if failure.kind == Kind::Unknown => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Returns an address for each item, by its key.
///
/// # Errors
/// One is not in the bucket, or there are no credentials to sign with.
pub(super) async fn addresses(
    clients: &Clients,
    bucket: &str,
    items: &[Item],
) -> Result<BTreeMap<String, String>, BakeError> {
    let mut addresses = BTreeMap::new();
    for item in items {
        if size(clients, bucket, &item.key).await?.is_none() {
            return Err(BakeError::NotInBucket { key: item.key.clone(), bucket: bucket.to_owned() });
        }
        let times = PresigningConfig::expires_in(ADDRESS_FOR)
            .map_err(|error| BakeError::Address(error.to_string()))?;
        let call = clients.s3.get_object().bucket(bucket).key(&item.key);
        let signed = call.presigned(times).await.of("s3:GetObject")?;
        addresses.insert(item.key.clone(), signed.uri().to_owned());
    }
    Ok(addresses)
}

//! Whose word is taken for what an instance is.

use anyhow::{Context as _, bail};
use fleet::IdentityCertificates;

use crate::fleet_source::FleetSource;
use crate::options::Options;

/// Reads the certificates with which AWS signs what instances are, if a file with them is named.
///
/// # Errors
/// The file cannot be used, or there is none although hosts are instances.
pub(crate) fn read_identities(options: &Options) -> anyhow::Result<Option<IdentityCertificates>> {
    let Some(path) = &options.aws_identity_certificates else {
        if matches!(options.fleet, FleetSource::Aws(_)) {
            bail!(
                "--fleet aws needs --aws-identity-certificates, a file with AWS's certificate for the region: RSA-2048 on \
                 https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/regions-certs.html"
            );
        }
        return Ok(None);
    };
    let read = std::fs::read_to_string(path).context("it cannot be read");
    let certificates = read.and_then(|text| IdentityCertificates::from_pem(&text));
    Ok(Some(certificates.with_context(|| format!("--aws-identity-certificates {}", path.display()))?))
}

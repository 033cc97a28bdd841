//! What a certificate says: whose it is, until when it holds, and which key it is for.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use model::id::HostId;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::names::{CONTROL, host_of};

/// Whose a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A server's.
    Server,
    /// A host's.
    Host(HostId),
}

/// Who shows a certificate that was found to be of the platform's authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Whose it is.
    pub subject: Subject,
    /// Until when it holds.
    pub until: Timestamp,
    /// SHA-256 of its key, in hexadecimal digits.
    pub key: String,
}

impl Bearer {
    /// Reads a certificate; whether it is genuine is not looked at.
    ///
    /// # Errors
    /// It cannot be read, or is nobody's of a platform.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self> {
        let read = parse(certificate)?;
        let names = read.subject_alternative_name()?.context("a certificate without a name")?;
        let mut subject = None;
        for name in &names.value.general_names {
            let GeneralName::DNSName(name) = name else { continue };
            subject = match *name {
                CONTROL => Some(Subject::Server),
                name => host_of(name).map(Subject::Host),
            };
        }
        let Some(subject) = subject else { bail!("a certificate of neither a server nor a host") };
        let until = Timestamp::from_second(read.validity().not_after.timestamp())?;
        Ok(Self { subject, until, key: hex::encode(Sha256::digest(read.public_key().raw)) })
    }

    /// Tells whether the certificate is too old.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.until < Timestamp::now()
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>> {
    let (_, read) = X509Certificate::from_der(certificate).context("a certificate cannot be read")?;
    Ok(read)
}

/// Returns the SHA-256 of the key that a certificate is for.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> Result<String> {
    Ok(hex::encode(Sha256::digest(parse(certificate)?.public_key().raw)))
}

/// Returns the SHA-256 of a public key as its certificate will have it.
#[must_use]
pub fn fingerprint_of_key(key: &rcgen::KeyPair) -> String {
    use rcgen::PublicKeyData as _;
    hex::encode(Sha256::digest(key.subject_public_key_info()))
}

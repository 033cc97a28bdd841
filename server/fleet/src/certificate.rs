//! What a certificate says: whose it is, until when it holds, and which key it is for.

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use model::id::HostId;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::authority::SLACK;
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
    /// When it was made, by the clock of who made it.
    pub since: Timestamp,
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
        let slack = SignedDuration::try_from(SLACK)?;
        let since = Timestamp::from_second(read.validity().not_before.timestamp())?.checked_add(slack)?;
        let until = Timestamp::from_second(read.validity().not_after.timestamp())?;
        Ok(Self { subject, since, until, key: hex::encode(Sha256::digest(read.public_key().raw)) })
    }

    /// Returns when half of its time is over: then it is to be renewed.
    #[must_use]
    pub fn half_time(&self) -> Timestamp {
        self.since + self.until.duration_since(self.since) / 2
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

/// Returns the SHA-256 of the key that a certificate is asked for, once it is known that who asks has it.
///
/// # Errors
/// The request is damaged, or not signed with the key that it is for.
pub fn fingerprint_of_request(request: &str) -> Result<String> {
    use rcgen::PublicKeyData as _;
    let request = rcgen::CertificateSigningRequestParams::from_pem(request);
    let request = request.context("the certificate signing request cannot be read")?;
    Ok(hex::encode(Sha256::digest(request.public_key.subject_public_key_info())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Credentials, HostKey};

    #[test]
    fn a_certificate_says_whose_it_is_and_which_key_it_is_for() {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::generate().unwrap());
        let key = HostKey::at(&dir.path().join("key.pem")).unwrap();
        let (host, request) = (HostId::new(), key.request().unwrap());
        let certificate = authority.host_certificate(host, &request).unwrap();
        let credentials = Credentials::empty();
        credentials.replace_pem(&certificate, &key).unwrap();
        let bearer = Bearer::read(&credentials.certificate().unwrap()).unwrap();
        assert_eq!(bearer.subject, Subject::Host(host));
        assert_eq!(bearer.key, fingerprint_of_request(&request).unwrap());
        assert!(!bearer.has_expired());
        let half = bearer.half_time().duration_since(Timestamp::now()).as_secs_f64();
        let expected = crate::HOST_LIFE.as_secs_f64() / 2.0;
        assert!((half - expected).abs() < 60.0, "{half} s, not {expected}");
        let server = authority.server_credentials().unwrap().certificate().unwrap();
        assert_eq!(Bearer::read(&server).unwrap().subject, Subject::Server);
        let again = HostKey::at(&dir.path().join("key.pem")).unwrap().request().unwrap();
        assert_eq!(fingerprint_of_request(&again).unwrap(), bearer.key);
        assert!(fingerprint_of_request(&request.replace('A', "B")).is_err());
    }

    #[test]
    fn an_authority_is_read_back_and_signs_as_before() {
        let authority = Authority::generate().unwrap();
        let again = Authority::of(authority.pem(), &authority.key_pem()).unwrap();
        assert_eq!(again.fingerprint(), authority.fingerprint());
    }
}

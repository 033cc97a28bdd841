//! The platform's certificate authority: says who is a server and who is a host. It is trusted by nobody else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use model::id::HostId;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::credentials::Credentials;
use crate::names::{CONTROL, host_name};

/// How long a host's certificate holds unless the platform was told otherwise; it renews it at half of that.
pub const HOST_LIFE: Duration = Duration::from_hours(24);

/// How long a server's certificate holds; each start and each week makes a new one.
const SERVER_LIFE: Duration = Duration::from_hours(30 * 24);

/// How far a host's clock may be behind: by so much certificates seem older than they are.
pub(crate) const SLACK: Duration = Duration::from_hours(1);

/// How long the authority itself holds: longer than any machine.
const AUTHORITY_LIFE: Duration = Duration::from_hours(50 * 365 * 24);

/// The platform's certificate authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    host_life: Duration,
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Errors
    /// No random numbers.
    pub fn generate() -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "hosts and servers of a paas");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        hold(&mut params, AUTHORITY_LIFE);
        let made = params.self_signed(&key)?;
        Self::of(&made.pem(), &key.serialize_pem())
    }

    /// Returns the authority with this certificate and key, both as PEM.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(certificate: &str, key: &str) -> Result<Self> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        let der = der.context("the certificate of the platform's authority cannot be read")?;
        let key = KeyPair::from_pem(key).context("the key of the platform's authority cannot be read")?;
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { certificate: der, pem: certificate.to_owned(), issuer, host_life: HOST_LIFE })
    }

    /// Lets certificates of hosts hold for so long.
    pub fn set_host_life(&mut self, life: Duration) {
        self.host_life = life;
    }

    /// Returns for how long certificates of hosts hold.
    #[must_use]
    pub fn host_life(&self) -> Duration {
        self.host_life
    }

    /// Returns the certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the key, as PEM; whoever has it is the platform.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Returns the certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Makes a key and a certificate for a server.
    ///
    /// # Errors
    /// No random numbers.
    pub fn server_credentials(&self) -> Result<Arc<Credentials>> {
        let credentials = Credentials::empty();
        self.renew_server(&credentials)?;
        Ok(credentials)
    }

    /// Gives a server a fresh key and certificate in place of those that grow old.
    ///
    /// # Errors
    /// No random numbers.
    pub fn renew_server(&self, credentials: &Credentials) -> Result<()> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = self.sign(CONTROL, SERVER_LIFE, &key)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        credentials.replace(chain, key)
    }

    /// Signs a certificate for a host, whatever else its request asks for. Returns it as PEM.
    ///
    /// # Errors
    /// The request is damaged, or not signed with the key that it is for.
    pub fn host_certificate(&self, host: HostId, request: &str) -> Result<String> {
        let request = CertificateSigningRequestParams::from_pem(request)
            .context("the certificate signing request cannot be read")?;
        Ok(self.sign(&host_name(host), self.host_life, &request.public_key)?.pem())
    }

    fn sign(&self, name: &str, life: Duration, key: &impl PublicKeyData) -> Result<Certificate> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        hold(&mut params, life);
        Ok(params.signed_by(key, &self.issuer)?)
    }
}

/// Lets a certificate hold from now on.
fn hold(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + now.saturating_sub(SLACK), epoch + now + life);
}

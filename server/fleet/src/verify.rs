//! Decides whom to believe in a handshake. All is signed by the platform's authority; what differs is who may be there.

use std::sync::Arc;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};

use crate::certificate::{Bearer, Subject};
use crate::credentials::roots;

/// How long after its end a certificate may still be shown to renew it, in seconds: a host that was off for a while.
const LATE: u64 = 90 * 24 * 60 * 60;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Lets in servers only.
#[derive(Debug)]
pub(crate) struct ServersOnly(Arc<dyn ClientCertVerifier>);

impl ServersOnly {
    pub(crate) fn new(authority: &CertificateDer<'static>) -> Result<Arc<Self>> {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider()).build()?;
        Ok(Arc::new(Self(verifier)))
    }
}

/// Lets in hosts, those whose certificate ended a while ago too, and who shows no certificate. What each may is decided
/// by whoever is asked.
#[derive(Debug)]
pub(crate) struct HostsOrNobody(Arc<dyn ClientCertVerifier>);

impl HostsOrNobody {
    pub(crate) fn new(authority: &CertificateDer<'static>) -> Result<Arc<Self>> {
        let builder = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider());
        Ok(Arc::new(Self(builder.allow_unauthenticated().build()?)))
    }
}

fn subject(certificate: &CertificateDer<'_>) -> Result<Bearer, Error> {
    Bearer::read(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
}

fn refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

/// Writes the parts of a verifier of clients that are those of the library.
macro_rules! as_the_library_does {
    () => {
        fn root_hint_subjects(&self) -> &[DistinguishedName] {
            self.0.root_hint_subjects()
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.0.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.0.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_verify_schemes()
        }

        fn client_auth_mandatory(&self) -> bool {
            self.0.client_auth_mandatory()
        }
    };
}

impl ClientCertVerifier for ServersOnly {
    as_the_library_does!();

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        if subject(end_entity)?.subject == Subject::Server { Ok(verified) } else { Err(refused()) }
    }
}

impl ClientCertVerifier for HostsOrNobody {
    as_the_library_does!();

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Bearer { subject: Subject::Host(_), until, .. } = subject(end_entity)? else {
            return Err(refused());
        };
        let until = u64::try_from(until.as_second()).map_err(|_| refused())?;
        let late = now.as_secs().saturating_sub(until) > LATE;
        let then = if late { now.as_secs() } else { now.as_secs().min(until) };
        let then = UnixTime::since_unix_epoch(std::time::Duration::from_secs(then));
        self.0.verify_client_cert(end_entity, intermediates, then)
    }
}

/// Believes a server that is the one meant, whatever name was asked for: replicas are asked for by names of their own.
#[derive(Debug)]
pub(crate) struct Named {
    library: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl Named {
    pub(crate) fn new(authority: &CertificateDer<'static>, name: String) -> Result<Arc<Self>> {
        let library = WebPkiServerVerifier::builder_with_provider(roots(authority)?, provider()).build()?;
        Ok(Arc::new(Self { library, name: ServerName::try_from(name)? }))
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.library.verify_server_cert(end_entity, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library.supported_verify_schemes()
    }
}

/// Believes a server whose authority has the digest that a join token names.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) authority: [u8; 32],
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let digest = |certificate: &&CertificateDer<'_>| -> [u8; 32] { Sha256::digest(certificate).into() };
        let meant = intermediates.iter().find(|certificate| digest(certificate) == self.authority);
        let meant = meant.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let roots = roots(&meant.clone().into_owned()).map_err(|_| refused())?;
        let library = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider)).build();
        let library = library.map_err(|error| Error::General(error.to_string()))?;
        library.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

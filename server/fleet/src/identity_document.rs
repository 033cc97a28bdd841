//! Decides whether AWS says who a machine is: the identity document of an instance and its signature of RSA with 2048 bits,
//! as the metadata service gives them. Whether that instance is one of ours is decided by `model::instances`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::instances::Document;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::signed_message::SignedMessage;
use crate::verify::provider;

/// The longest document, and the longest signature, in bytes. AWS's have less than a tenth of that.
pub(crate) const IDENTITY_MAX: usize = 16 << 10;

/// The shortest key, in bits: `signature` of the metadata service is by one that is shorter, and is not what is asked for.
const KEY_BITS: usize = 2048;

/// Why nobody knows who a machine is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGenuine {
    /// What was shown is no signature, or no document.
    #[error("the instance identity document cannot be checked: {0}")]
    Unreadable(&'static str),
    /// The signature is of something else.
    #[error("the instance identity document is not the one that was signed")]
    Differs,
    /// Somebody else has signed it.
    #[error(
        "the instance identity document is not signed with a key of the certificates that this server was given"
    )]
    Forged,
}

/// The keys with which AWS signs what instances are, one for each region.
#[derive(Clone, Debug)]
pub struct IdentityCertificates(Vec<Vec<u8>>);

impl IdentityCertificates {
    /// Reads certificates, one after the other as PEM. They are believed for their keys; their dates are not looked at.
    ///
    /// # Errors
    /// One cannot be read, has another kind of key, or there is none.
    pub fn from_pem(text: &str) -> anyhow::Result<Self> {
        let mut keys = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let certificate = certificate?;
            let (_, read) = X509Certificate::from_der(&certificate)?;
            match read.public_key().parsed() {
                Ok(PublicKey::RSA(key)) if key.key_size() >= KEY_BITS => {}
                _ => anyhow::bail!("the key of {} is not RSA with 2048 bits", read.subject()),
            }
            keys.push(read.public_key().subject_public_key.data.to_vec());
        }
        anyhow::ensure!(!keys.is_empty(), "there is no certificate in it");
        Ok(Self(keys))
    }

    /// Returns what a document says, if AWS has signed it. The signature is as the metadata service gives it: base64 in lines.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub fn check(&self, document: &str, signature: &str) -> Result<Document, NotGenuine> {
        if document.len() > IDENTITY_MAX || signature.len() > IDENTITY_MAX {
            return Err(NotGenuine::Unreadable("it is too long"));
        }
        let signature: String = signature.split_ascii_whitespace().collect();
        let message =
            STANDARD.decode(signature).map_err(|_| NotGenuine::Unreadable("its signature is no base64"))?;
        self.verify(document.as_bytes(), &message)?;
        serde_json::from_str(document).map_err(|_| NotGenuine::Unreadable("it does not say what it should"))
    }

    fn verify(&self, document: &[u8], message: &[u8]) -> Result<(), NotGenuine> {
        let message = SignedMessage::read(message).map_err(NotGenuine::Unreadable)?;
        if message.content.as_deref().is_some_and(|content| content != document) {
            return Err(NotGenuine::Differs);
        }
        let signed = match &message.attributes {
            Some(attributes) if attributes.digest[..] != Sha256::digest(document)[..] => {
                return Err(NotGenuine::Differs);
            }
            Some(attributes) => &attributes.der[..],
            None => document,
        };
        let is_by = |key: &Vec<u8>| is_by(key, signed, message.signature);
        if self.0.iter().any(is_by) { Ok(()) } else { Err(NotGenuine::Forged) }
    }
}

/// Tells whether a signature is by a key, as RSA with 2048 bits or more over SHA-256.
fn is_by(key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let algorithms = provider().signature_verification_algorithms;
    let mut known =
        algorithms.mapping.iter().filter(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256);
    known.any(|(_, ways)| ways.iter().any(|way| way.verify_signature(key, signed, signature).is_ok()))
}

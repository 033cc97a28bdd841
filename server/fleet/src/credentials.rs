//! A certificate and its key, which may be replaced while connections use them; and the key that a host makes for itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwapOption;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{RootCertStore, SignatureScheme};

/// What a server or a host shows of itself, on either side of a handshake.
#[derive(Debug, Default)]
pub struct Credentials(ArcSwapOption<CertifiedKey>);

impl Credentials {
    /// Returns credentials of nobody yet.
    #[must_use]
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// Shows these from the next handshake on.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<()> {
        let key = ring::sign::any_supported_type(&key).context("a private key cannot be used")?;
        self.0.store(Some(Arc::new(CertifiedKey::new(chain, key))));
        Ok(())
    }

    /// Shows a certificate that is given as PEM, with its key.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn replace_pem(&self, certificate: &str, key: &HostKey) -> Result<()> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.context("the host's certificate cannot be read")?;
        let key = PrivateKeyDer::try_from(key.0.serialize_der()).map_err(anyhow::Error::msg)?;
        self.replace(chain, key)
    }

    /// Returns the certificate that is shown now.
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.0.load().as_ref().and_then(|shown| shown.cert.first().cloned())
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }

    fn has_certs(&self) -> bool {
        self.0.load().is_some()
    }
}

/// Returns what trusts an authority, given as PEM, and nothing else.
pub(crate) fn roots(authority: &CertificateDer<'static>) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).context("the platform's authority cannot be used")?;
    Ok(Arc::new(roots))
}

/// Reads the first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn read_certificate(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).context("a certificate cannot be read")
}

/// The key of a host, which never leaves it.
pub struct HostKey(KeyPair);

impl HostKey {
    /// Reads the key in a file, which is made, readable by its owner only, if it is not there.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn at(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem();
                write_private(path, text.as_bytes())
                    .with_context(|| format!("cannot write {}", path.display()))?;
                text
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let key = KeyPair::from_pem(&text).with_context(|| format!("{} holds no key", path.display()))?;
        Ok(Self(key))
    }

    /// Returns a request for a certificate, as PEM.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn request(&self) -> Result<String> {
        Ok(CertificateParams::default().serialize_request(&self.0)?.pem()?)
    }
}

/// Writes a file that only its owner may read; after a power loss it is there whole or not at all.
///
/// # Errors
/// The file system's.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

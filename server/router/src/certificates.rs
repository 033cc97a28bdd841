//! The TLS certificates of a directory, by domain, read again when they change.
//!
//! `DIR/NAME/fullchain.pem` and `DIR/NAME/privkey.pem` are for the domain NAME, as ACME clients lay them down; a NAME
//! that begins with `*.` or `_.` is for all names one level below, and `default` for visitors who name no domain.

use crate::certificate;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// The name for visitors who name no domain, or one that has no certificate.
const DEFAULT: &str = "default";

/// When a file was last changed, and how long it is.
type Stamp = (SystemTime, u64);

/// The stamps of a certificate and its key as far as they are there, and what was read from them if they were of use.
type Known = ([Option<Stamp>; 2], Option<Arc<CertifiedKey>>);

/// The certificates of a directory.
pub(crate) struct Certificates {
    dir: PathBuf,
    provider: Arc<CryptoProvider>,
    /// What each handshake looks into.
    by_name: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
    known: Mutex<HashMap<String, Known>>,
}

impl Certificates {
    /// Reads the certificates of `dir`, which need not exist yet.
    pub(crate) fn read(dir: PathBuf) -> Arc<Self> {
        let certificates = Self {
            dir,
            provider: Arc::new(ring::default_provider()),
            by_name: ArcSwap::default(),
            known: Mutex::default(),
        };
        certificates.refresh();
        Arc::new(certificates)
    }

    /// Returns how to shake hands with these certificates and both versions of HTTP.
    ///
    /// # Errors
    /// When the library lacks the versions of TLS it says it has.
    pub(crate) fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads what has changed; one that is of no use leaves the one before in place.
    pub(crate) fn refresh(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let names = match certificate::names(&self.dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return tracing::warn!(%error, "cannot list {}", self.dir.display()),
        };
        let mut changed = known.len();
        known.retain(|name, _| names.contains(name));
        changed -= known.len();
        for name in names {
            changed += usize::from(self.refresh_one(&mut known, name));
        }
        if changed > 0 {
            let usable = known.iter().filter_map(|(name, (_, key))| Some((domain(name), key.clone()?)));
            self.by_name.store(Arc::new(usable.collect()));
        }
    }

    /// Reads one certificate if it has changed, and returns whether it had.
    fn refresh_one(&self, known: &mut HashMap<String, Known>, name: String) -> bool {
        let own = self.dir.join(&name);
        let stamps = certificate::files(&own).map(|file| stamp(&file).ok());
        let before = known.get(&name);
        if before.is_some_and(|(seen, _)| *seen == stamps) {
            return false;
        }
        let read = match certificate::read(&own, &self.provider) {
            Ok(read) => {
                tracing::info!("the certificate of {name} was read");
                Some(Arc::new(read))
            }
            // A certificate is replaced file by file: until that is done, the one before goes on.
            Err(error) => {
                let before = before.and_then(|(_, key)| key.clone());
                let goes_on =
                    if before.is_some() { "the one before goes on" } else { "there is none for it" };
                tracing::warn!("the certificate in {} is of no use: {error}; {goes_on}", own.display());
                before
            }
        };
        known.insert(name, (stamps, read));
        true
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let by_name = self.by_name.load();
        let name = name.map(str::to_ascii_lowercase);
        let own = name.as_ref().and_then(|name| {
            let above = || name.split_once('.').and_then(|(_, parent)| by_name.get(&format!("*.{parent}")));
            by_name.get(name).or_else(above)
        });
        own.or_else(|| by_name.get(DEFAULT)).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Returns the domain a directory is for.
fn domain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("_.").map(|parent| format!("*.{parent}")).unwrap_or(name)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

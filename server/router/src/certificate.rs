//! One certificate with its key, as it lies in a directory: of use, or why not. What is done with it is decided elsewhere.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, sign::CertifiedKey};

/// Where the certificate lies, with those that vouch for it.
const CHAIN: &str = "fullchain.pem";

/// Where its key lies.
const KEY: &str = "privkey.pem";

/// Why a certificate is of no use. Each sentence names the file that is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCertificate {
    #[error("{0} is not there")]
    Missing(&'static str),
    #[error("{0} cannot be read: {1}")]
    Unreadable(&'static str, std::io::Error),
    #[error("{CHAIN} holds no certificate in the PEM format")]
    NoCertificate,
    #[error("{KEY} holds no private key in the PEM format")]
    NoKey,
    #[error("{0} is no PEM file: {1}")]
    Pem(&'static str, pem::Error),
    #[error("{KEY} is not the key of {CHAIN}")]
    NotItsKey,
    #[error("{CHAIN} and {KEY} cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// Returns the files that a certificate in `dir` consists of.
pub(crate) fn files(dir: &Path) -> [PathBuf; 2] {
    [dir.join(CHAIN), dir.join(KEY)]
}

/// Reads the certificate of a directory.
pub(crate) fn read(dir: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
    let [chain, key] = files(dir);
    let chain = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| bad_file(CHAIN, error))?;
    if chain.is_empty() {
        return Err(BadCertificate::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_file(KEY, error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => BadCertificate::NotItsKey,
        other => BadCertificate::Unusable(other),
    })
}

fn bad_file(file: &'static str, error: pem::Error) -> BadCertificate {
    match error {
        pem::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            BadCertificate::Missing(file)
        }
        pem::Error::Io(error) => BadCertificate::Unreadable(file, error),
        pem::Error::NoItemsFound if file == KEY => BadCertificate::NoKey,
        error => BadCertificate::Pem(file, error),
    }
}

/// A certificate that lies in a directory of certificates.
#[derive(Debug)]
pub struct FoundCertificate {
    /// The name of its own directory: the domain that it is for.
    pub name: String,
    /// When it ends to be valid, or why it is of no use.
    pub expires: Result<SystemTime, String>,
}

/// Returns what lies in a directory of certificates, by name; nothing where there is no directory. Blocks on the disk.
///
/// # Errors
/// A directory that cannot be read.
pub fn find_certificates(dir: &Path) -> std::io::Result<Vec<FoundCertificate>> {
    let mut names = match names(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    names.sort();
    let provider = ring::default_provider();
    let found = |name: String| {
        let read = read(&dir.join(&name), &provider).map_err(|error| error.to_string());
        FoundCertificate { expires: read.and_then(|key| expiry(&key)), name }
    };
    Ok(names.into_iter().map(found).collect())
}

/// Returns the names of the directories in `dir`.
pub(crate) fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(dir)?.flatten().filter(|entry| entry.path().is_dir());
    Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn expiry(key: &CertifiedKey) -> Result<SystemTime, String> {
    let own = key.cert.first().ok_or("it holds no certificate")?;
    let (_, parsed) = x509_parser::parse_x509_certificate(own)
        .map_err(|error| format!("{CHAIN} holds no certificate that can be read: {error}"))?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_is_told_with_its_end_or_what_is_wrong_with_which_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find_certificates(&dir.path().join("none")).unwrap().is_empty());
        let made = || rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let (own, other) = (made(), made());
        let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let lay = |name: &str, chain: &str, key: Option<&str>| {
            let at = dir.path().join(name);
            std::fs::create_dir(&at).unwrap();
            std::fs::write(at.join(CHAIN), chain).unwrap();
            key.iter().for_each(|key| std::fs::write(at.join(KEY), key).unwrap());
        };
        lay("a-good", &chain, Some(&key));
        lay("b-junk", "junk", Some(&key));
        lay("c-no-key", &chain, None);
        lay("d-other", &chain, Some(&other.signing_key.serialize_pem()));
        lay("e-junk-key", &chain, Some("junk"));
        let found = find_certificates(dir.path()).unwrap();
        assert!(found[0].expires.as_ref().unwrap() > &SystemTime::now());
        let wrong: Vec<&str> =
            found[1..].iter().map(|one| one.expires.as_ref().unwrap_err().as_str()).collect();
        assert_eq!(
            wrong,
            [
                "fullchain.pem holds no certificate in the PEM format",
                "privkey.pem is not there",
                "privkey.pem is not the key of fullchain.pem",
                "privkey.pem holds no private key in the PEM format",
            ]
        );
    }
}

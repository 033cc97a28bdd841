//! Seals what must not be readable in the database or in a URL: XChaCha20-Poly1305 with a key that lies in a file of
//! its own. What a sealed text belongs to is authenticated with it, so that it cannot be moved elsewhere.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The text was changed, cut, moved or sealed with another key.
    #[error("a sealed value cannot be opened: it was changed, or sealed with another secret key")]
    Unreadable,
    /// The key file cannot be used.
    #[error("the secret key {path} {why}")]
    KeyFile {
        /// Where it lies.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no random numbers.
    #[error("the system gave no random numbers: {0}")]
    Random(getrandom::Error),
}

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Seals and opens with the platform's secret key.
#[derive(Clone)]
pub struct Vault(XChaCha20Poly1305);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the key file, made with mode 0600 at the first start.
    ///
    /// # Errors
    /// A file that cannot be read or written, or does not hold a key.
    pub fn open_file(path: &Path) -> Result<Self, VaultError> {
        let failed = |why: String| VaultError::KeyFile { path: path.display().to_string(), why };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = hex::encode(random::<KEY_BYTES>()?);
                write_private(path, &text).map_err(|e| failed(format!("cannot be written: {e}")))?;
                text
            }
            Err(error) => return Err(failed(format!("cannot be read: {error}"))),
        };
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut key)
            .map_err(|_| failed("does not hold 64 hexadecimal digits".to_owned()))?;
        Ok(Self::new(&key))
    }

    /// Makes a vault of a key.
    #[must_use]
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Returns the text sealed, as letters, digits, `-` and `_`. `belongs_to` must be given again to open it.
    ///
    /// # Errors
    /// No random numbers.
    pub fn seal(&self, belongs_to: &str, plain: &[u8]) -> Result<String, VaultError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: plain, aad: belongs_to.as_bytes() };
        let sealed =
            self.0.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| VaultError::Unreadable)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Vault::seal`] returned.
    ///
    /// # Errors
    /// A text that was changed, belongs to something else, or was sealed with another key.
    pub fn open(&self, belongs_to: &str, sealed: &str) -> Result<Vec<u8>, VaultError> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| VaultError::Unreadable)?;
        let (nonce, msg) = bytes.split_at_checked(NONCE_BYTES).ok_or(VaultError::Unreadable)?;
        let payload = Payload { msg, aad: belongs_to.as_bytes() };
        self.0.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| VaultError::Unreadable)
    }
}

/// Returns random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(VaultError::Random)?;
    Ok(bytes)
}

/// Writes the file with mode 0600 so that after a power loss it is there whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let _ = std::fs::remove_file(&aside);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_where_it_belongs() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal("release 1", b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(vault.open("release 1", &sealed).unwrap(), b"secret");
        assert!(vault.open("release 2", &sealed).is_err());
        assert!(Vault::new(&[8; 32]).open("release 1", &sealed).is_err());
        assert!(vault.open("release 1", &sealed[1..]).is_err());
        assert!(vault.open("release 1", "").is_err());
    }

    #[test]
    fn the_key_file_is_private_and_read_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret-key");
        let sealed = Vault::open_file(&path).unwrap().seal("x", b"y").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Vault::open_file(&path).unwrap().open("x", &sealed).unwrap(), b"y");
        std::fs::write(&path, "short").unwrap();
        assert!(Vault::open_file(&path).is_err());
    }
}

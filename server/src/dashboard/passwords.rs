//! Passwords: Argon2id with the parameters of OWASP's recommendation, which are the library's. Each takes 19 MiB and some
//! milliseconds, so that few are worked at together.

use anyhow::{Context as _, anyhow};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

/// Fewest characters of a new password: NIST SP 800-63B asks for 8 at least and recommends 15 where nothing else is asked.
pub(super) const CHARACTERS_MIN: usize = 12;

/// Most bytes that are hashed.
const BYTES_MAX: usize = 1_024;

/// Hashed at once.
const AT_ONCE: usize = 2;

/// Hashes and verifies.
pub(super) struct Passwords(Semaphore);

impl Default for Passwords {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Passwords {
    /// Returns the hash to store of a new password.
    pub(super) async fn hash(&self, password: String) -> anyhow::Result<String> {
        self.work(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            Ok(hash.map_err(|error| anyhow!("the password cannot be hashed: {error}"))?.to_string())
        })
        .await
    }

    /// Tells whether a password is the one of the hash. Without a hash it takes as long, so that how long it takes does
    /// not tell who has an account.
    pub(super) async fn is_right(&self, password: String, hash: Option<String>) -> anyhow::Result<bool> {
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        self.work(move || {
            let argon2 = Argon2::default();
            let Some(hash) = hash else {
                let _ = argon2.hash_password(password.as_bytes());
                return Ok(false);
            };
            let hash = PasswordHash::new(&hash)
                .map_err(|error| anyhow!("the stored hash of a password cannot be read: {error}"))?;
            Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let _place = self.0.acquire().await?;
        tokio::task::spawn_blocking(work).await.context("the work on a password ended early")?
    }
}

/// Returns why a new password will not do.
pub(super) fn refusal(password: &str) -> Option<String> {
    let characters = password.chars().count();
    if characters < CHARACTERS_MIN {
        return Some(format!(
            "A password has at least {CHARACTERS_MIN} characters; this one has {characters}. A sentence is easy to remember."
        ));
    }
    (password.len() > BYTES_MAX).then(|| format!("A password has at most {BYTES_MAX} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right_and_nothing_else() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let is_right = async |password: &str, hash: Option<&str>| {
            passwords.is_right(password.to_owned(), hash.map(str::to_owned)).await.unwrap()
        };
        assert!(is_right("correct horse battery", Some(&hash)).await);
        assert!(!is_right("correct horse batterY", Some(&hash)).await);
        assert!(!is_right("correct horse battery", None).await);
        assert!(passwords.is_right("x".to_owned(), Some("damaged".to_owned())).await.is_err());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(refusal("short").is_some());
        assert!(refusal(&"x".repeat(2_000)).is_some());
        assert_eq!(refusal("twelve chars"), None);
    }
}

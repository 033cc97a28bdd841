//! The agent's wishes hold config values; they rest on disk sealed with the platform's key.

use std::sync::Arc;

use agent::Seal;
use anyhow::Context as _;
use store::Vault;

/// What the sealed bytes belong to.
const BELONGS_TO: &str = "wishes of the agent";

/// Seals with the platform's vault.
pub(crate) struct VaultSeal(Arc<Vault>);

impl VaultSeal {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self(vault)
    }
}

impl Seal for VaultSeal {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        self.0
            .seal(BELONGS_TO, plain)
            .expect("the kernel always has random bytes once it has booted")
            .into_bytes()
    }

    fn open(&self, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let text = std::str::from_utf8(sealed).context("the sealed wishes are not text")?;
        Ok(self.0.open(BELONGS_TO, text)?)
    }
}

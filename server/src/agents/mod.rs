//! The hosts that dial in: who they are, what they are told, and what they bring. What should run where is decided by the
//! reconcile loop.

mod admission;
mod bodies;
mod gate;
mod identities;
mod join;
mod lately;
mod logs;
mod minutes;
mod refusal;
mod registrar;
mod seen;
mod serve;
mod slugs;
mod sync;
mod trust;
mod wait;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use fleet::{Authority, Credentials, IdentityCertificates, JoinToken, Joined};
use model::id::{HostId, ReplicaId};
use serde::{Deserialize, Serialize};
use store::{Store, Vault};

pub(crate) use identities::read_identities;
pub use refusal::Refusal;
pub use registrar::Registrar;
pub use serve::{Limits, run};
pub(crate) use wait::wait_for_hosts;

/// Under which the authority is stored, and what its sealed key belongs to.
const AUTHORITY: &str = "authority";

/// The platform's authority, what this server shows of itself, and the ways to hosts.
pub struct Agents {
    authority: Authority,
    server: Arc<Credentials>,
    ways: Mutex<BTreeMap<HostId, fleet::WayConfig>>,
    known: admission::Known,
    trust: trust::Trust,
    /// With what instances are signed; nothing where no cloud gives hosts.
    identities: Option<IdentityCertificates>,
    lately: lately::Lately,
}

/// The authority as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    certificate: String,
    sealed_key: String,
}

impl Agents {
    /// Reads the authority, which is made at the first start of all servers of the platform.
    ///
    /// # Errors
    /// A database that fails, or a key that was sealed by another platform.
    pub async fn open(store: &Store, vault: &Vault) -> anyhow::Result<Self> {
        let known = store::find_fact(&mut *store.read().await?, AUTHORITY).await?;
        let stored = match known {
            Some(stored) => stored,
            None => {
                let made = Authority::generate()?;
                let sealed_key = vault.seal(AUTHORITY, made.key_pem().as_bytes())?;
                let stored = Stored { certificate: made.pem().to_owned(), sealed_key };
                let mut tx = store.write().await?;
                let stored =
                    store::set_fact_once(&mut tx, AUTHORITY, &serde_json::to_string(&stored)?).await?;
                tx.commit().await?;
                stored
            }
        };
        let stored: Stored = serde_json::from_str(&stored).context("the stored authority is damaged")?;
        let key = vault.open(AUTHORITY, &stored.sealed_key).context("the key of the authority")?;
        Self::of(Authority::of(&stored.certificate, std::str::from_utf8(&key)?)?)
    }

    /// Makes them of an authority.
    ///
    /// # Errors
    /// No random numbers.
    pub fn of(authority: Authority) -> anyhow::Result<Self> {
        let server = authority.server_credentials()?;
        let (known, trust) = (admission::Known::default(), trust::Trust::default());
        let (identities, lately) = (None, lately::Lately::default());
        Ok(Self { authority, server, ways: Mutex::default(), known, trust, identities, lately })
    }

    /// Lets certificates of hosts hold for so long.
    #[must_use]
    pub fn certifying_for(mut self, life: Duration) -> Self {
        self.authority.set_host_life(life);
        self
    }

    /// Returns the certificate by which hosts know the platform, as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Believes what is signed with these certificates about instances.
    #[must_use]
    pub fn believing(mut self, identities: IdentityCertificates) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Returns what a machine is told that is a host now, or again; `request` is for its key.
    fn joined(&self, host: &store::Host, request: &str) -> anyhow::Result<Joined> {
        let certificate = self.authority.host_certificate(host.id, request)?;
        let authority = self.authority.pem().to_owned();
        Ok(Joined { host: host.id, name: host.name.clone(), certificate, authority })
    }

    /// Returns the text of a join token with this secret.
    #[must_use]
    pub fn join_token(&self, secret: &str) -> String {
        JoinToken { secret: secret.to_owned(), authority: self.authority.fingerprint() }.to_string()
    }

    /// Takes note of all hosts as they are now, or, without, that they are as before.
    pub(crate) fn know(&self, hosts: Option<&[store::Host]>) {
        match hosts {
            Some(hosts) => self.known.all(hosts),
            None => self.known.unchanged(),
        }
    }

    /// Forgets a host that was removed: from now on it is refused.
    pub(crate) fn forget(&self, host: HostId) {
        self.known.remove(host);
    }

    /// Returns the way in to a replica on another host.
    pub(crate) fn way_in(&self, host: HostId, replica: ReplicaId) -> anyhow::Result<router::WayIn> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let config = match ways.get(&host) {
            Some(config) => config.clone(),
            None => {
                let made =
                    fleet::way_in_config(self.authority.certificate(), Arc::clone(&self.server), host)?;
                ways.entry(host).or_insert(made).clone()
            }
        };
        let (connector, name) = fleet::way_in(&config, replica)?;
        Ok(router::WayIn::new(connector, name))
    }

    /// Returns how the entry of the host inside this server answers.
    pub(crate) fn entry_config(&self, host: &Arc<Credentials>) -> anyhow::Result<fleet::ServerTls> {
        fleet::entry_config(self.authority.certificate(), Arc::clone(host))
    }

    /// Returns a certificate for the host inside this server, as PEM, and for how long it is good: a fresh one is due then.
    pub(crate) fn certify(&self, host: HostId, key: &fleet::HostKey) -> anyhow::Result<(String, Duration)> {
        let certificate = self.authority.host_certificate(host, &key.request()?)?;
        Ok((certificate, self.authority.host_life() / 2))
    }

    /// Shows a fresh certificate from now on.
    fn renew(&self) -> anyhow::Result<()> {
        self.authority.renew_server(&self.server)
    }
}

//! Who this machine is to the platform: its key, which never leaves it, and what it was told when it joined. A machine that
//! has joined does not join again, whatever it is given.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fleet::{
    About, Bearer, ClientTls, Credentials, HostKey, Join, JoinToken, Joined, Link, LinkError, Renew, Renewed,
    ServerTls,
};
use jiff::Timestamp;
use model::id::HostId;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::enrolment::enrol;
use super::invitation::{Invitation, Launch};
use super::options::Options;

/// How long to wait before a certificate that could not be renewed is asked for again. A host that was away for long is let
/// in only with a fresh one.
const AGAIN: Duration = Duration::from_secs(3);

/// How often it is looked how old the certificate is; the clock may jump.
const LOOK: Duration = Duration::from_secs(60);

/// Who this host is.
pub(super) struct Identity {
    key: HostKey,
    credentials: Arc<Credentials>,
    joined: Mutex<Joined>,
    path: PathBuf,
    /// What was decided by the platform, and goes when this is its host no more.
    left: Vec<PathBuf>,
}

impl Identity {
    /// Reads who this host is, or joins.
    pub(super) async fn open(options: &Options, about: &About) -> Result<Self> {
        let dir = options.dir("identity");
        let key = HostKey::at(&dir.join("key.pem"))?;
        let path = dir.join("host.json");
        let joined = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; remove it and join anew", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let joined = join(options, &key, about).await?;
                fleet::write_private(&path, &serde_json::to_vec(&joined)?)?;
                joined
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let credentials = Credentials::empty();
        credentials.replace_pem(&joined.certificate, &key)?;
        // Only now, and each time: it may have been killed just before.
        if let Some(Err(error)) = options.invitation.launch().map(Launch::forget_secret) {
            warn!(error = format!("{error:#}"), "the launch secret was used, and is still there");
        }
        let left = vec![path.clone(), dir.join("key.pem"), options.dir("agent").join("desired")];
        Ok(Self { key, credentials, joined: Mutex::new(joined), path, left })
    }

    pub(super) fn host(&self) -> HostId {
        self.joined().host
    }

    pub(super) fn name(&self) -> String {
        self.joined().name
    }

    fn joined(&self) -> Joined {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what this host shows of itself.
    pub(super) fn credentials(&self) -> Arc<Credentials> {
        self.credentials.clone()
    }

    /// Returns how servers are called.
    pub(super) fn link_config(&self) -> Result<ClientTls> {
        fleet::link_config(&fleet::read_certificate(&self.joined().authority)?, self.credentials.clone())
    }

    /// Returns how the entry answers.
    pub(super) fn entry_config(&self) -> Result<ServerTls> {
        fleet::entry_config(&fleet::read_certificate(&self.joined().authority)?, self.credentials.clone())
    }

    /// Renews the certificate when half of its time is over, until it is told to stop.
    pub(super) async fn keep_fresh(self: Arc<Self>, links: Vec<Arc<Link>>, stop: CancellationToken) {
        let renewing = async {
            loop {
                let due = self.due();
                let now = Timestamp::now();
                if due > now {
                    let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
                    tokio::time::sleep(left.min(LOOK)).await;
                } else if let Err(error) = self.renew(&links).await {
                    warn!(error = format!("{error:#}"), "the certificate is not renewed yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        stop.run_until_cancelled(renewing).await;
    }

    /// Returns when half of the certificate's time is over.
    fn due(&self) -> Timestamp {
        let shown = self.credentials.certificate().and_then(|shown| Bearer::read(&shown).ok());
        shown.map_or(Timestamp::MIN, |bearer| bearer.half_time())
    }

    async fn renew(&self, links: &[Arc<Link>]) -> Result<()> {
        let request = Renew { request: self.key.request()? };
        let mut last = None;
        for link in links {
            match link.ask::<Renewed>("/agent/renew", &request, Duration::ZERO).await {
                Ok(Renewed { certificate }) => {
                    let mut joined = self.joined();
                    joined.certificate = certificate;
                    fleet::write_private(&self.path, &serde_json::to_vec(&joined)?)?;
                    self.credentials.replace_pem(&joined.certificate, &self.key)?;
                    *self.joined.lock().unwrap_or_else(PoisonError::into_inner) = joined;
                    info!("the certificate was renewed");
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no server is known")?.into())
    }

    /// Forgets who this was, so that the machine may join again.
    pub(super) fn forget(&self) -> Result<()> {
        for path in &self.left {
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

async fn join(options: &Options, key: &HostKey, about: &About) -> Result<Joined> {
    let path = match &options.invitation {
        Invitation::Token(path) => path,
        Invitation::Launch(launch) => return enrol(options, launch, key, about).await,
        Invitation::None => bail!(
            "this machine has not joined yet: --join-token names the file with a token of `paasctl hosts:add`"
        ),
    };
    let token = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let token: JoinToken = token.parse()?;
    let config = fleet::join_config(token.authority)?;
    let join = Join {
        secret: token.secret,
        name: options.name.clone(),
        request: key.request()?,
        about: about.clone(),
    };
    let mut unreached = None;
    for server in &options.servers {
        let link = Link::new(server.clone(), config.clone(), Credentials::empty());
        match link.ask::<Joined>("/agent/join", &join, Duration::ZERO).await {
            Ok(joined) => return Ok(joined),
            Err(error @ LinkError::Refused(..)) => return Err(error).context("this machine cannot join"),
            Err(error) => unreached = Some(error),
        }
    }
    Err(unreached.context("--server names no server")?).context("this machine cannot join")
}

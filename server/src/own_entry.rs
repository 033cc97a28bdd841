//! The entry of the host inside this server, through which the routers of other servers reach its replicas; the hosts that
//! join have one of their own in `paasd agent`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fleet::{Credentials, Entry, HostKey, Places};
use model::id::ReplicaId;
use model::replica::HostReport;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::options::Options;
use crate::platform::Platform;

/// How soon it is tried again to make a certificate.
const AGAIN: Duration = Duration::from_secs(60);

/// Opens it at a port that is free, where servers share a database and others can know where that is.
///
/// # Errors
/// The address is not this machine's.
pub(crate) async fn open(options: &Options) -> anyhow::Result<Option<TcpListener>> {
    let ip = options.listen.ip();
    if options.database_url.is_none() {
        return Ok(None);
    }
    if ip.is_unspecified() {
        warn!(
            "other servers cannot send visitors to this machine: --listen has to name one of its addresses for that"
        );
        return Ok(None);
    }
    let listener = TcpListener::bind(SocketAddr::from((ip, 0))).await;
    Ok(Some(listener.with_context(|| format!("cannot open an entry at {ip}"))?))
}

/// Lets the routers of other servers in until it is told to stop.
pub(crate) async fn run(platform: Arc<Platform>, listener: Option<TcpListener>, stop: CancellationToken) {
    let Some(listener) = listener else {
        stop.cancelled().await;
        return;
    };
    let credentials = Credentials::empty();
    let places = Arc::new(Reported(platform.facts.own_reports()));
    let opened = platform.agents.entry_config(&credentials);
    match opened {
        Ok(config) => {
            let entry = Entry::new(listener, config, places).run(stop.clone());
            let fresh = stop.run_until_cancelled(keep_fresh(&platform, &credentials));
            tokio::join!(entry, fresh);
        }
        Err(error) => {
            warn!(error = format!("{error:#}"), "other servers cannot send visitors to this machine");
            stop.cancelled().await;
        }
    }
}

/// Makes a certificate, and another one when half of its time is over.
async fn keep_fresh(platform: &Platform, credentials: &Credentials) {
    loop {
        let rest = match renew(platform, credentials) {
            Ok(fresh) => fresh,
            Err(error) => {
                warn!(error = format!("{error:#}"), "the entry has no fresh certificate yet");
                AGAIN
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// Makes a certificate and returns for how long it is fresh.
fn renew(platform: &Platform, credentials: &Credentials) -> anyhow::Result<Duration> {
    let key = HostKey::at(&platform.options.own("entry-key.pem"))?;
    let (certificate, fresh) = platform.agents.certify(platform.facts.here(), &key)?;
    credentials.replace_pem(&certificate, &key)?;
    Ok(fresh)
}

/// Where the agent last said that its replicas listen.
struct Reported(watch::Receiver<Arc<HostReport>>);

impl Places for Reported {
    fn place(&self, replica: ReplicaId) -> Option<SocketAddr> {
        crate::reports::status_of(&self.0.borrow(), replica)?.address
    }
}

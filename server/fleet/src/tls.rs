//! How each side of each kind of connection shakes hands: TLS 1.3 only, certificates of the platform's authority only.

use std::sync::Arc;

use anyhow::Result;
use model::id::{HostId, ReplicaId};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};

use crate::credentials::Credentials;
use crate::names::{CONTROL, host_name, replica_server_name};
use crate::verify::{HostsOrNobody, Named, Pinned, ServersOnly, provider};

/// How one side of a connection calls another.
pub type ClientTls = Arc<ClientConfig>;

/// How one side of a connection is called.
pub type ServerTls = Arc<ServerConfig>;

/// What connections to one host's entry have in common.
pub type WayConfig = Arc<ClientConfig>;

/// A session that is taken up again goes by the certificate that was shown when it began, also when that has expired and
/// there is a fresh one: each connection begins anew.
const NO_TICKETS: usize = 0;

/// Returns how a server answers agents: those of hosts, and machines that join.
///
/// # Errors
/// The authority cannot be used.
pub fn server_config(
    authority: &CertificateDer<'static>,
    server: Arc<Credentials>,
) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let mut config =
        builder.with_client_cert_verifier(HostsOrNobody::new(authority)?).with_cert_resolver(server);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.send_tls13_tickets = NO_TICKETS;
    Ok(Arc::new(config))
}

/// Returns how a machine that joins calls a server: it has nothing to show, and believes the authority with this digest.
///
/// # Errors
/// The library lacks what it should have.
pub fn join_config(authority: [u8; 32]) -> Result<Arc<ClientConfig>> {
    let verifier = Arc::new(Pinned { authority, provider: provider() });
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(Arc::new(config))
}

/// Returns how a host calls a server.
///
/// # Errors
/// The authority cannot be used.
pub fn link_config(authority: &CertificateDer<'static>, host: Arc<Credentials>) -> Result<Arc<ClientConfig>> {
    client(authority, CONTROL.to_owned(), host)
}

/// Returns how a server's router calls the entry of a host, whichever replica it asks for.
///
/// # Errors
/// The authority cannot be used.
pub fn way_in_config(
    authority: &CertificateDer<'static>,
    server: Arc<Credentials>,
    host: HostId,
) -> Result<WayConfig> {
    client(authority, host_name(host), server)
}

/// Returns what it takes to ask the entry of a host for one of its replicas.
///
/// # Errors
/// The replica's name is none, which does not happen.
pub fn way_in(config: &WayConfig, replica: ReplicaId) -> Result<(TlsConnector, ServerName<'static>)> {
    Ok((TlsConnector::from(Arc::clone(config)), ServerName::try_from(replica_server_name(replica))?))
}

fn client(
    authority: &CertificateDer<'static>,
    name: String,
    own: Arc<Credentials>,
) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let verifier = Named::new(authority, name)?;
    let config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_client_cert_resolver(own);
    Ok(Arc::new(config))
}

/// Returns how the entry of a host answers: servers only.
///
/// # Errors
/// The authority cannot be used.
pub fn entry_config(
    authority: &CertificateDer<'static>,
    host: Arc<Credentials>,
) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let mut config = builder.with_client_cert_verifier(ServersOnly::new(authority)?).with_cert_resolver(host);
    config.send_tls13_tickets = NO_TICKETS;
    Ok(Arc::new(config))
}

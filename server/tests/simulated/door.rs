//! How a host gets in: with a join token, or as an instance that was launched.

use std::time::Duration;

use fleet::{
    About, Credentials, Enrol, HostKey, InstanceIdentity, Join, JoinToken, Joined, Link, LinkError, ServerUrl,
};
use tokio::time::sleep;

/// How long a server may need to ask the cloud, as an agent has it.
const HOLD: Duration = Duration::from_secs(10);

/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a host shows to join.
pub(crate) enum Door {
    /// A join token.
    Token(String),
    /// What its launch gave it, what its cloud says of it, and the platform's certificate.
    Launch { secret: String, identity: InstanceIdentity, authority: String },
}

impl Door {
    pub(super) async fn enter(
        self,
        server: &ServerUrl,
        key: &HostKey,
        number: usize,
        about: &About,
    ) -> Joined {
        let (about, request) = (about.clone(), key.request().unwrap());
        match self {
            Self::Token(token) => {
                let token = token.parse::<JoinToken>().unwrap();
                let config = fleet::join_config(token.authority).unwrap();
                let line = Link::new(server.clone(), config, Credentials::empty());
                let name = format!("host-{number:03}");
                let join = Join { secret: token.secret, name, request, about };
                line.ask("/agent/join", &join, Duration::ZERO).await.unwrap()
            }
            Self::Launch { secret, identity, authority } => {
                let authority = fleet::read_certificate(&authority).unwrap();
                let config = fleet::link_config(&authority, Credentials::empty()).unwrap();
                let line = Link::new(server.clone(), config, Credentials::empty());
                let InstanceIdentity { document, signature } = identity;
                let enrol = Enrol { secret, document, signature, request, about };
                loop {
                    match line.ask("/agent/enrol", &enrol, HOLD).await {
                        Ok(joined) => return joined,
                        Err(LinkError::Refused(status, why)) if status == 403 || status == 422 => {
                            panic!("an instance may not join: {why}")
                        }
                        Err(_) => sleep(PAUSE).await,
                    }
                }
            }
        }
    }
}

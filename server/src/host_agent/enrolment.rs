//! How an instance of a cloud joins: with what it was given at its launch, and with what AWS says it is. It asks for as
//! long as the answer may change.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fleet::{About, Credentials, Enrol, HostKey, InstanceIdentity, Joined, Link, LinkError, Metadata};
use hyper::StatusCode;
use tokio::time::sleep;
use tracing::warn;

use super::invitation::Launch;
use super::options::Options;

/// The shortest and the longest pause before a server is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long a server may need to ask the cloud.
const HOLD: Duration = Duration::from_secs(10);

/// Joins. Returns only when this is a host, or never will be one by this launch.
pub(super) async fn enrol(
    options: &Options,
    launch: &Launch,
    key: &HostKey,
    about: &About,
) -> Result<Joined> {
    let secret = launch.secret.read().context("--launch-secret")?;
    let secret = secret.trim();
    ensure!(
        !secret.is_empty(),
        "the launch secret was used, and this machine is no host; another instance is to take its place"
    );
    let authority =
        launch.authority.read().and_then(|pem| fleet::read_certificate(&pem)).context("--authority")?;
    let nobody = Credentials::empty();
    let config = fleet::link_config(&authority, nobody.clone())?;
    let link = |server: &fleet::ServerUrl| Link::new(server.clone(), config.clone(), nobody.clone());
    let links: Vec<Link> = options.servers.iter().map(link).collect();
    let metadata = Metadata::at(launch.metadata.clone());
    let mut pause = PAUSE.0;
    loop {
        let why = match metadata.identity().await {
            Ok(identity) => {
                let enrol = ask_for(secret, identity, key, about)?;
                match ask(&links, &enrol).await? {
                    Ok(joined) => return Ok(joined),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        warn!(why, "this instance has not joined yet; it tries again");
        sleep(with_jitter(pause)).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn ask_for(secret: &str, identity: InstanceIdentity, key: &HostKey, about: &About) -> Result<Enrol> {
    let InstanceIdentity { document, signature } = identity;
    let about = about.clone();
    Ok(Enrol { secret: secret.to_owned(), document, signature, request: key.request()?, about })
}

/// Asks one server after the other. What came last is returned if it may be different the next time.
async fn ask(links: &[Link], enrol: &Enrol) -> Result<Result<Joined, LinkError>> {
    let mut last = None;
    for link in links {
        match link.ask::<Joined>("/agent/enrol", enrol, HOLD).await {
            Ok(joined) => return Ok(Ok(joined)),
            Err(error) if is_final(&error) => return Err(error).context("this instance cannot join"),
            Err(error) => last = Some(error),
        }
    }
    Ok(Err(last.context("--server names no server")?))
}

/// A server that is starting, or older than this agent, may answer otherwise soon.
fn is_final(error: &LinkError) -> bool {
    matches!(error, LinkError::Refused(StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY, _))
}

fn with_jitter(pause: Duration) -> Duration {
    let mut random = [0; 1];
    let _ = getrandom::fill(&mut random);
    pause.mul_f64(0.5 + f64::from(random[0]) / 512.0)
}

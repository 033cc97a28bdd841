//! Keeps the control plane's own way in: this server registers itself at the load balancer under which its name is found, and tells
//! people when that does not work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloud::entrance::{Door, DoorWish, Refused};
use model::entrance::TargetHealth;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Connected;
use super::run::{event, write};
use crate::instances::own_address;
use crate::options::Options;
use crate::platform::Platform;

/// How often it is looked whether all is as it should be, while it is.
const QUIET: Duration = Duration::from_secs(60);

/// How often while it is not.
const UNDER_WAY: Duration = Duration::from_secs(5);

/// How long one turn may take. Each call has a limit of its own.
const TURN: Duration = Duration::from_secs(120);

/// How many turns in a row something must be wrong until that is told: a load balancer takes a moment to find a server healthy.
const PATIENCE: u32 = 6;

/// What people are told about.
const ABOUT: &str = "control plane";

/// Runs until it is told to stop. Cutting a turn short is safe: the next one looks again.
pub(crate) async fn run(platform: Arc<Platform>, connected: Arc<Connected>, stop: CancellationToken) {
    let keeping = async {
        let mut told = Told::default();
        loop {
            let wish = wish(&platform);
            let turn = tokio::time::timeout(TURN, connected.door.keep(&wish)).await;
            let late = || {
                Err(Refused {
                    says: "the load balancers do not answer".to_owned(),
                    unknown: false,
                    clear: false,
                })
            };
            let wrong = wrong(&turn.unwrap_or_else(|_| late()), &wish);
            let rest = if wrong.is_none() { QUIET } else { UNDER_WAY };
            if let Some(news) = told.news(wrong, &wish) {
                tell(&platform, news).await;
            }
            tokio::time::sleep(rest).await;
        }
    };
    stop.run_until_cancelled(keeping).await;
}

fn wish(platform: &Platform) -> DoorWish {
    DoorWish {
        host: platform.options.api_host.clone(),
        server: server(&platform.options),
        leads: platform.leadership.term().is_some(),
    }
}

/// Returns where this server is reached from its network.
fn server(options: &Options) -> SocketAddr {
    match options.listen.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(own_address(), options.listen.port()),
        _ => options.listen,
    }
}

/// Returns what keeps people from this server, as a sentence; nothing if they reach it.
fn wrong(turn: &Result<Door, Refused>, wish: &DoorWish) -> Option<String> {
    let server = wish.server;
    if server.ip().is_loopback() {
        return Some(format!("no load balancer reaches {server}: --listen has to be 0.0.0.0:5000"));
    }
    match turn {
        Err(refused) => Some(refused.to_string()),
        Ok(Door { health: None, .. }) => Some("the server that leads has not prepared it yet".to_owned()),
        Ok(Door { health: Some(TargetHealth::Healthy), .. }) => None,
        Ok(Door { health: Some(health), .. }) => Some(format!("{server}: {health}")),
    }
}

/// What was told last.
#[derive(Default)]
struct Told {
    /// What is wrong, and for how many turns it was.
    wrong: Option<(String, u32)>,
    /// It was told that all is well, and nothing else since.
    well: bool,
}

impl Told {
    /// Takes in what a turn came to; returns what there is to tell.
    fn news(&mut self, wrong: Option<String>, wish: &DoorWish) -> Option<Result<String, String>> {
        let Some(says) = wrong else {
            self.wrong = None;
            let known = std::mem::replace(&mut self.well, true);
            return (!known).then(|| Ok(format!("load balancers lead {} to this server", wish.host)));
        };
        let turns = self.wrong.take().filter(|(before, _)| *before == says).map_or(1, |(_, turns)| turns + 1);
        self.wrong = Some((says.clone(), turns));
        (turns == PATIENCE).then(|| {
            self.well = false;
            Err(format!("load balancers do not lead {} to this server: {says}", wish.host))
        })
    }
}

async fn tell(platform: &Platform, news: Result<String, String>) {
    match &news {
        Ok(says) => info!("{says}"),
        Err(says) => warn!("{says}"),
    }
    let (Ok(says) | Err(says)) = news;
    if let Err(error) = write(platform, &[event(ABOUT, &says)]).await {
        warn!(error = format!("{error:#}"), "what happened at the load balancers is not written down");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(server: &str) -> DoorWish {
        let host = "api.apps.example.org".parse().unwrap();
        DoorWish { host, server: server.parse().unwrap(), leads: true }
    }

    fn door(health: &str, reason: &str) -> Result<Door, Refused> {
        Ok(Door { address: String::new(), health: Some(TargetHealth::of(health, reason)) })
    }

    #[test]
    fn what_is_wrong_is_told_once_when_it_lasts_and_again_after_all_was_well() {
        let (wish, mut told) = (wish("10.0.0.5:5000"), Told::default());
        let mut turn = |health| told.news(wrong(&door(health, "Target.Timeout"), &wish), &wish);
        assert_eq!([turn("initial"), turn("initial")], [None, None]);
        assert_eq!(
            turn("healthy").unwrap().unwrap(),
            "load balancers lead api.apps.example.org to this server"
        );
        assert_eq!(turn("healthy"), None);
        let all: Vec<_> = (0..2 * PATIENCE).filter_map(|_| turn("unhealthy")).collect();
        let [Err(says)] = &all[..] else { panic!("{all:?}") };
        assert!(
            says.ends_with("10.0.0.5:5000: the load balancer finds it unhealthy (Target.Timeout)"),
            "{says}"
        );
        assert!(turn("healthy").unwrap().is_ok());
    }

    #[test]
    fn a_server_that_listens_to_itself_alone_is_told_so() {
        let (wish, told) = (wish("127.0.0.1:5000"), door("initial", ""));
        assert!(wrong(&told, &wish).unwrap().contains("--listen has to be 0.0.0.0:5000"));
    }
}

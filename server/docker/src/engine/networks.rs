//! A network for each app: its replicas reach the outside and each other, and those of no other app. And one for builds of
//! images, which reach the outside only.
//!
//! Docker keeps bridges apart by itself. The addresses are ours to choose: of those that it gives by default there are some
//! thirty networks' worth, which would be thirty apps.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use anyhow::Context as _;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};
use model::id::AppId;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard};

use crate::daemon::{CHANGE, Daemon, DaemonError, QUICK};
use crate::labels;

/// The first address of all networks: a corner of 10.0.0.0/8 that hosts seldom have. There are 2,048 apps in it.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 0);
const NETWORKS: u32 = 2048;
/// Addresses of one network, a power of two: one replica each, but for three.
const ADDRESSES: u32 = 64;
const PREFIX: u32 = 32 - ADDRESSES.trailing_zeros();

/// What stands for an app in the name of the network of builds.
const BUILDS: &str = "builds";

/// The networks of one server's apps.
#[derive(Debug)]
pub(crate) struct Networks {
    daemon: Daemon,
    mark: String,
    /// Shared by who starts something in a network, so that none is removed under it.
    use_or_remove: RwLock<()>,
    /// Held while one is looked for and made: replicas of an app start side by side.
    making: Mutex<()>,
}

impl Networks {
    pub(crate) fn new(daemon: Daemon, mark: &str) -> Self {
        Self { daemon, mark: mark.to_owned(), use_or_remove: RwLock::new(()), making: Mutex::new(()) }
    }

    /// Returns the name of an app's network, made where it was not there. It stays while the guard is held.
    pub(super) async fn of(&self, app: AppId) -> anyhow::Result<(String, RwLockReadGuard<'_, ()>)> {
        let guard = self.use_or_remove.read().await;
        Ok((self.ensure(&app.to_string()).await?, guard))
    }

    /// Returns the name of the network in which builds of images run, made where it was not there. It stays while the guard is
    /// held.
    pub(crate) async fn of_builds(&self) -> anyhow::Result<(String, RwLockReadGuard<'_, ()>)> {
        let guard = self.use_or_remove.read().await;
        Ok((self.ensure(BUILDS).await?, guard))
    }

    /// Removes the network of builds, unless one runs in it.
    pub(crate) async fn give_up_that_of_builds(&self) {
        let Ok(_guard) = self.use_or_remove.try_write() else { return };
        self.remove(BUILDS).await;
    }

    async fn ensure(&self, whose: &str) -> anyhow::Result<String> {
        let _making = self.making.lock().await;
        let name = self.name(whose);
        let there = self.daemon.docker().inspect_network(&name, None::<InspectNetworkOptions>);
        match self.daemon.ask("look at a network", QUICK, there).await {
            Ok(_) => {}
            Err(DaemonError::Missing(_)) => self.make(whose, &name).await?,
            Err(error) => return Err(error.into()),
        }
        Ok(name)
    }

    /// Removes the network of an app that has nothing in it any more.
    pub(super) async fn give_up(&self, app: AppId) {
        let _guard = self.use_or_remove.write().await;
        self.remove(&app.to_string()).await;
    }

    async fn remove(&self, whose: &str) {
        let name = self.name(whose);
        let removed = self.daemon.docker().remove_network(&name);
        match self.daemon.ask("remove a network", CHANGE, removed).await {
            // Others run in it.
            Ok(()) | Err(DaemonError::Missing(_) | DaemonError::Conflict(_)) => {}
            Err(error) => tracing::warn!(%error, "a network stays"),
        }
    }

    /// Removes the networks of this server's that nothing is in: of apps that are gone, or of a start that was cut off.
    pub(super) async fn sweep(&self) {
        let _guard = self.use_or_remove.write().await;
        let filters = HashMap::from([("label".to_owned(), vec![format!("{}={}", labels::MARK, self.mark)])]);
        let listed = self.daemon.docker().list_networks(Some(ListNetworksOptions { filters: Some(filters) }));
        let listed = self.daemon.ask("list networks", QUICK, listed).await.unwrap_or_default();
        for name in listed.into_iter().filter_map(|network| network.name) {
            // One in use is refused, as it should be.
            let removed = self.daemon.docker().remove_network(&name);
            let _ = self.daemon.ask("remove a network", CHANGE, removed).await;
        }
    }

    fn name(&self, whose: &str) -> String {
        format!("paas-{}-{whose}", self.mark)
    }

    async fn make(&self, whose: &str, name: &str) -> anyhow::Result<()> {
        let mut refused = None;
        let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        for subnet in free(&self.taken().await?, &routes_of(&routes)).take(8) {
            let made = self.daemon.docker().create_network(self.request(whose, name, subnet));
            match self.daemon.ask("make a network", CHANGE, made).await {
                Ok(_) => return Ok(()),
                // Somebody made it at the same time, or has these addresses outside of Docker.
                Err(DaemonError::Conflict(why)) if why.contains("already exists") => return Ok(()),
                Err(error @ (DaemonError::Conflict(_) | DaemonError::Failed { .. })) => refused = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        match refused {
            Some(error) => Err(error).context("there is no network for it"),
            None => anyhow::bail!("all {NETWORKS} networks for apps are in use"),
        }
    }

    fn request(&self, whose: &str, name: &str, subnet: Ipv4Addr) -> NetworkCreateRequest {
        let labels = [(labels::MARK, self.mark.clone()), (labels::APP, whose.to_owned())];
        // Replicas of an app reach each other. Builds are of many apps.
        let together = (whose != BUILDS).to_string();
        let options = [
            ("com.docker.network.bridge.name", labels::bridge(&self.mark, whose)),
            ("com.docker.network.bridge.enable_icc", together),
        ];
        let subnet = IpamConfig { subnet: Some(format!("{subnet}/{PREFIX}")), ..IpamConfig::default() };
        NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(vec![subnet]), ..Ipam::default() }),
            options: Some(options.map(|(name, value)| (name.to_owned(), value)).into()),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
            ..NetworkCreateRequest::default()
        }
    }

    /// Returns the first addresses of all networks that the daemon has.
    async fn taken(&self) -> anyhow::Result<BTreeSet<Ipv4Addr>> {
        let listed = self.daemon.docker().list_networks(None::<ListNetworksOptions>);
        let listed = self.daemon.ask("list networks", QUICK, listed).await?;
        let configs = listed.into_iter().filter_map(|network| network.ipam?.config).flatten();
        let first = |config: IpamConfig| config.subnet?.split('/').next()?.parse().ok();
        Ok(configs.filter_map(first).collect())
    }
}

/// Addresses that this host knows a way to: the first, and the bits that all of them have in common.
type Route = (u32, u32);

/// Returns the networks that nobody has, in order. Of those outside of Docker, and of other daemons, the routes tell.
fn free(taken: &BTreeSet<Ipv4Addr>, routes: &[Route]) -> impl Iterator<Item = Ipv4Addr> {
    let own = !(ADDRESSES - 1);
    let all = (0..NETWORKS).map(|n| u32::from(FIRST) + n * ADDRESSES);
    let unrouted = all.filter(move |first| routes.iter().all(|(to, mask)| (first ^ to) & mask & own != 0));
    unrouted.map(Ipv4Addr::from).filter(move |first| !taken.contains(first))
}

/// Returns the routes of a table as `/proc/net/route` has it, but for the default one: numbers in hexadecimal, in the
/// order of bytes of the machine.
fn routes_of(table: &str) -> Vec<Route> {
    let number = |text: &str| {
        u32::from_str_radix(text, 16).ok().map(|number| u32::from_be_bytes(number.to_ne_bytes()))
    };
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some((number(fields.get(1)?)?, number(fields.get(7)?)?))
    };
    table.lines().skip(1).filter_map(route).filter(|(_, mask)| *mask != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_lie_side_by_side_and_none_is_given_twice() {
        let mut taken = BTreeSet::from([FIRST]);
        assert_eq!(PREFIX, 26);
        let first = free(&taken, &[]).next().unwrap();
        assert_eq!(first, Ipv4Addr::new(10, 213, 0, 64));
        taken.extend(free(&BTreeSet::new(), &[]).take(5));
        assert_eq!(free(&taken, &[]).next(), Some(Ipv4Addr::new(10, 213, 1, 64)));
        assert_eq!(free(&BTreeSet::new(), &[]).last(), Some(Ipv4Addr::new(10, 214, 255, 192)));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn what_the_host_has_a_way_to_is_not_taken() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
            vpn0\t0000D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n\
            vpn1\t4101D50A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\n";
        let routes = routes_of(table);
        assert_eq!(routes, [(0x0ad5_0000, 0xffff_ff00), (0x0ad5_0141, 0xffff_ffff)]);
        let first: Vec<_> = free(&BTreeSet::new(), &routes).take(2).collect();
        assert_eq!(first, [Ipv4Addr::new(10, 213, 1, 0), Ipv4Addr::new(10, 213, 1, 128)]);
    }
}

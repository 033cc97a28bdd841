//! A simulated AWS for a test, and the set-up `prod` in it, as `paasctl aws:up` makes it.

use aws::setup::{ClusterName, Egress, Entrance, Network, Patience, Wish, up};
use aws::{Clients, Place};

#[path = "../../../../testkit/simcloud/process.rs"]
mod process;

pub(crate) use process::Simcloud;

/// The image that the simulated region has.
pub(crate) const IMAGE: &str = "ami-12c6146b";

/// Where hosts are.
pub(crate) const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

impl Simcloud {
    /// Returns clients for this cloud and no other.
    pub(crate) async fn clients(&self) -> Clients {
        let (region, simulation) = (Some("us-east-1".to_owned()), Some(self.url.clone()));
        Clients::of(&Place { region, simulation, ..Place::default() }).await.unwrap()
    }

    /// Returns the set-up that tests make.
    pub(crate) fn wish() -> Wish {
        Wish {
            name: "prod".parse().unwrap(),
            zones: ZONES.map(str::to_owned).to_vec(),
            network: Network::Own { prefix: [10, 20] },
            egress: Egress::PublicAddresses,
            entrance: Entrance::Own { certificate: None },
            balancers: None,
            dns_zone: None,
            instance_type: "t3.medium".to_owned(),
            disk: 40,
            image: Some(IMAGE.to_owned()),
        }
    }

    /// Makes the set-up and returns its name.
    pub(crate) async fn set_up(&self) -> ClusterName {
        self.set_up_as(Self::wish()).await
    }

    /// Makes another one and returns its name.
    pub(crate) async fn set_up_as(&self, wish: Wish) -> ClusterName {
        up(&self.clients().await, &wish, Patience::default(), |_| {}).await.unwrap();
        wish.name
    }
}

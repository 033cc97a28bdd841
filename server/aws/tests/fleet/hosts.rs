//! What starts hosts in a simulated region, and what it is asked for.

use aws::fleet::Ec2;
use cloud::Order;
use model::id::LaunchId;
use model::instances::{Lifecycle, Pool};

use crate::region::{IMAGE, Simcloud};

impl Simcloud {
    /// Makes the set-up and returns what starts its hosts.
    pub(crate) async fn ec2(&self) -> Ec2 {
        let name = self.set_up().await;
        Ec2::new(self.clients().await, name, Vec::new())
    }

    /// Returns how many calls of a kind were made.
    pub(crate) fn calls(&self, call: &str) -> u64 {
        self.ask("counts")[call].as_u64().unwrap_or_default()
    }
}

/// Returns a fresh order in a zone.
pub(crate) fn order(zone: &str) -> Order {
    let (instance_type, lifecycle) = ("t3.medium".to_owned(), Lifecycle::OnDemand);
    Order {
        launch: LaunchId::new(),
        pool: Pool { zone: zone.to_owned(), instance_type, lifecycle },
        image: IMAGE.to_owned(),
        user_data: "#!/bin/sh\necho joins\n".to_owned(),
    }
}

//! What a fleet pays for besides instances: load balancers, addresses, ways out, disks.

use serde::{Deserialize, Serialize};

use super::{Bill, RegionPrices};

/// What hosts stand on, and what each takes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// Load balancers.
    pub balancers: u32,
    /// Their public addresses: each has one in each of its subnets.
    pub balancer_addresses: u32,
    /// NAT gateways, which have an address each.
    pub nats: u32,
    /// How large a host's disk is, in gigabytes.
    pub disk_gb: u32,
    /// Whether each host has a public address.
    pub host_addresses: bool,
}

impl Ground {
    /// Returns what a set-up over so many zones has unless something else was asked for.
    #[must_use]
    pub fn usual(zones: usize) -> Self {
        let bare = Self { balancers: 0, balancer_addresses: 0, nats: 0, disk_gb: 40, host_addresses: true };
        bare.with_balancers(1, zones)
    }

    /// Returns the same with so many load balancers, which have a public address in each of so many zones.
    #[must_use]
    pub fn with_balancers(self, balancers: u32, zones: usize) -> Self {
        let each = u32::try_from(zones).unwrap_or(u32::MAX);
        Self { balancers, balancer_addresses: balancers.saturating_mul(each), ..self }
    }

    /// Returns what is paid without any host, before traffic.
    #[must_use]
    pub fn bill(&self, prices: &RegionPrices) -> Bill {
        let mut bill = Bill::default();
        bill.hourly("load balancer", self.balancers.into(), prices.balancer_hour);
        bill.hourly(
            "public address of the load balancer",
            self.balancer_addresses.into(),
            prices.address_hour,
        );
        bill.hourly("NAT gateway", self.nats.into(), prices.nat_hour);
        bill.hourly("public address of a NAT gateway", self.nats.into(), prices.address_hour);
        bill
    }

    /// Adds what so many hosts take with them, without the instances.
    pub fn add_hosts(&self, bill: &mut Bill, count: u64, prices: &RegionPrices) {
        bill.monthly("gigabyte of disk", count * u64::from(self.disk_gb), prices.volume_gigabyte_month);
        let addresses = if self.host_addresses { count } else { 0 };
        bill.hourly("public address of a host", addresses, prices.address_hour);
    }

    /// Returns what one host of a type adds a month; nothing if the price of the type is not known.
    #[must_use]
    pub fn host(&self, instance_type: &str, prices: &RegionPrices) -> Option<Bill> {
        let mut bill = Bill::default();
        bill.hourly(instance_type, 1, *prices.instances.get(instance_type)?);
        self.add_hosts(&mut bill, 1, prices);
        Some(bill)
    }
}

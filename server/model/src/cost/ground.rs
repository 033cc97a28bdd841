//! What a fleet pays for besides instances: load balancers, addresses, ways out, disks.

use serde::{Deserialize, Serialize};

use super::{Bill, Money, RegionPrices};

/// What hosts stand on, and what each takes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the control plane runs on.
    #[serde(default)]
    pub control: Control,
}

/// What the control plane runs on, as far as its cloud knows it for the platform's: one that runs elsewhere is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The types of its machines: one, but while it changes places.
    pub types: Vec<String>,
    /// Their public addresses.
    pub addresses: u32,
    /// Its disks in gigabytes, which stay when a machine ends.
    pub disk_gb: u32,
}

impl Control {
    fn add_to(&self, bill: &mut Bill, prices: &RegionPrices) {
        for name in &self.types {
            match prices.instances.get(name) {
                Some(hour) => bill.hourly(format!("control plane {name}"), 1, *hour),
                None => {
                    bill.hourly(format!("control plane {name}, of which there is no price"), 1, Money::ZERO)
                }
            }
        }
        bill.monthly("gigabyte of its disk", self.disk_gb.into(), prices.volume_gigabyte_month);
        bill.hourly("public address of the control plane", self.addresses.into(), prices.address_hour);
    }
}

impl Ground {
    /// Returns what a set-up over so many zones has unless something else was asked for.
    #[must_use]
    pub fn usual(zones: usize) -> Self {
        let bare = Self {
            balancers: 0,
            balancer_addresses: 0,
            nats: 0,
            disk_gb: 40,
            host_addresses: true,
            control: Control::default(),
        };
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
        self.control.add_to(&mut bill, prices);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Prices;

    #[test]
    fn the_control_plane_is_paid_for_and_a_type_without_a_price_is_named() {
        let prices = Prices::built_in();
        let prices = prices.region("us-east-1").unwrap();
        let usual = Ground::usual(3);
        let control = Control { types: vec!["t3.medium".to_owned()], addresses: 1, disk_gb: 40 };
        let with = Ground { control: control.clone(), ..usual.clone() }.bill(prices);
        // 730 h of 0.0416, 40 GB at 0.08, 730 h of one address.
        let more: Vec<_> =
            with.lines.iter().filter(|line| !usual.bill(prices).lines.contains(line)).collect();
        let sum: Money = more.iter().map(|line| line.per_month()).sum();
        assert_eq!((more.len(), sum.to_string()), (3, "$37.22".to_owned()));
        let odd = Control { types: vec!["x9.huge".to_owned()], ..control };
        let bill = Ground { control: odd, ..usual }.bill(prices);
        assert!(bill.lines[0].what.contains("x9.huge, of which there is no price"), "{bill:?}");
    }

    #[test]
    fn what_an_older_version_wrote_down_is_read() {
        let old = r#"{"balancers":1,"balancer_addresses":3,"nats":0,"disk_gb":40,"host_addresses":true}"#;
        assert_eq!(serde_json::from_str::<Ground>(old).unwrap(), Ground::usual(3));
    }
}

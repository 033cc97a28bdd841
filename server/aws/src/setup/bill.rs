//! What a set-up costs a month.

use model::cost::{Bill, RegionPrices};

use super::{Egress, Entrance, Network, Wish};

/// Returns what the set-up itself costs, without hosts and traffic.
#[must_use]
pub fn bill(wish: &Wish, prices: &RegionPrices) -> Bill {
    let mut bill = Bill::default();
    if let Entrance::Own { .. } = wish.entrance {
        bill.hourly("load balancer", 1, prices.balancer_hour);
        // It has an address in each of its subnets.
        let zones = match &wish.network {
            Network::Own { .. } => wish.zones.len(),
            Network::Adopted { public_subnets, .. } => public_subnets.len(),
        };
        bill.hourly("public address of the load balancer", count(zones), prices.address_hour);
    }
    let nats = count(wish.nat_zones().len());
    bill.hourly("NAT gateway", nats, prices.nat_hour);
    bill.hourly("public address of a NAT gateway", nats, prices.address_hour);
    bill
}

/// Returns what each host adds; none if the price of its type is not known.
#[must_use]
pub fn host_bill(wish: &Wish, prices: &RegionPrices) -> Option<Bill> {
    let mut bill = Bill::default();
    bill.hourly(wish.instance_type.clone(), 1, *prices.instances.get(&wish.instance_type)?);
    bill.monthly("gigabyte of disk", wish.disk.into(), prices.volume_gigabyte_month);
    let own = matches!(wish.network, Network::Own { .. });
    let addresses = u64::from(own && wish.egress == Egress::PublicAddresses);
    bill.hourly("public address of a host", addresses, prices.address_hour);
    Some(bill)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use model::cost::Prices;

    use super::*;
    use crate::setup::wish::tests::wish;

    #[test]
    fn three_zones_cost_what_the_price_list_says() {
        let prices = Prices::built_in();
        let prices = prices.region("us-east-1").unwrap();
        // 730 h of 0.0225 and of three addresses at 0.005.
        assert_eq!(bill(&wish(), prices).per_month().to_string(), "$27.38");
        // 730 h of 0.0416, 40 GB at 0.08, 730 h of one address.
        assert_eq!(host_bill(&wish(), prices).unwrap().per_month().to_string(), "$37.22");
    }

    #[test]
    fn nat_costs_more_than_addresses_until_there_are_many_hosts() {
        let prices = Prices::built_in();
        let prices = prices.region("us-east-1").unwrap();
        let with_nat = Wish { egress: Egress::OneNat, ..wish() };
        let more = bill(&with_nat, prices).per_month() - bill(&wish(), prices).per_month();
        let address = prices.address_hour.hourly_per_month();
        assert_eq!(more.dollars() / address.dollars(), 10.0);
        assert!(
            host_bill(&with_nat, prices).unwrap().lines.iter().all(|line| !line.what.contains("address"))
        );
    }

    #[test]
    fn a_type_without_a_price_has_no_bill() {
        let prices = Prices::built_in();
        let odd = Wish { instance_type: "x9.huge".into(), ..wish() };
        assert!(host_bill(&odd, prices.region("us-east-1").unwrap()).is_none());
    }
}

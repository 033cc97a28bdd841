//! What a set-up costs a month.

use model::cost::{Bill, Ground, RegionPrices};

use super::{Egress, Entrance, Found, Network, Part, Wish};

/// Returns what the set-up itself costs, without hosts and traffic.
#[must_use]
pub fn bill(wish: &Wish, prices: &RegionPrices) -> Bill {
    ground(wish).bill(prices)
}

/// Returns what each host adds; none if the price of its type is not known.
#[must_use]
pub fn host_bill(wish: &Wish, prices: &RegionPrices) -> Option<Bill> {
    ground(wish).host(&wish.instance_type, prices)
}

/// Returns what is paid for besides instances. What is adopted is paid for already.
#[must_use]
pub fn ground(wish: &Wish) -> Ground {
    let (own_network, zones) = match &wish.network {
        Network::Own { .. } => (true, wish.zones.len()),
        Network::Adopted { public_subnets, .. } => (false, public_subnets.len()),
    };
    let balancers: u32 = match &wish.entrance {
        Entrance::Own { .. } => wish.balancers.unwrap_or(1).into(),
        Entrance::Adopted { .. } => 0,
    };
    let rest = Ground {
        nats: u32::try_from(wish.nat_zones().len()).unwrap_or(u32::MAX),
        disk_gb: wish.disk.into(),
        host_addresses: own_network && wish.egress == Egress::PublicAddresses,
        ..Ground::usual(zones)
    };
    rest.with_balancers(balancers, zones)
}

/// Returns what the set-up that was found costs, without hosts and traffic.
#[must_use]
pub fn bill_found(wish: &Wish, found: &Found, prices: &RegionPrices) -> Bill {
    let count = |is: fn(&Part) -> bool| found.all().filter(|(part, _)| is(part)).count();
    let zones = match &wish.network {
        Network::Own { .. } => count(|part| matches!(part, Part::PublicSubnet(_))),
        Network::Adopted { public_subnets, .. } => public_subnets.len(),
    };
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let there = Ground { nats: number(count(|part| matches!(part, Part::Nat(_)))), ..Ground::usual(zones) };
    there.with_balancers(number(found.balancers().count()), zones).bill(prices)
}

#[cfg(test)]
mod tests {
    use model::cost::Prices;

    use super::*;
    use crate::setup::Piece;
    use crate::setup::wish::tests::wish;

    #[test]
    fn three_zones_cost_what_the_price_list_says() {
        let prices = Prices::built_in();
        let prices = prices.region("us-east-1").unwrap();
        // 730 h of 0.0225 and of three addresses at 0.005.
        assert_eq!(bill(&wish(), prices).per_month().to_string(), "$27.38");
        let two = Wish { balancers: Some(2), ..wish() };
        assert_eq!(bill(&two, prices).per_month().to_string(), "$54.75");
        // 730 h of 0.0416, 40 GB at 0.08, 730 h of one address.
        assert_eq!(host_bill(&wish(), prices).unwrap().per_month().to_string(), "$37.22");
    }

    #[test]
    fn what_is_found_costs_what_was_wished_for_once_it_is_there() {
        let prices = Prices::built_in();
        let prices = prices.region("us-east-1").unwrap();
        for (balancers, egress) in [(1, Egress::PublicAddresses), (2, Egress::NatPerZone)] {
            let wish = Wish { balancers: Some(balancers), egress, ..wish() };
            let mut found = Found::of("123456789012".to_owned());
            assert_eq!(bill_found(&wish, &found, prices), Bill::default(), "nothing is there");
            for part in wish.parts() {
                found.note(part, Piece { id: "x".to_owned(), ..Piece::default() });
            }
            assert_eq!(bill_found(&wish, &found, prices), bill(&wish, prices));
        }
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

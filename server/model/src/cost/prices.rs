//! The table of prices: a file in the repository, which may be replaced by one's own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Money;

/// What things cost in each region.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where the numbers are from.
    pub source: String,
    /// As of when, such as `2026-02-09`.
    pub date: String,
    regions: BTreeMap<String, RegionPrices>,
}

/// What things cost in one region, in US dollars.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionPrices {
    /// An application load balancer, an hour.
    pub balancer_hour: Money,
    /// A capacity unit of one, an hour.
    pub balancer_unit_hour: Money,
    /// A NAT gateway, an hour.
    pub nat_hour: Money,
    /// What passes through it, a gigabyte.
    pub nat_gigabyte: Money,
    /// A public IPv4 address, an hour.
    pub address_hour: Money,
    /// A gp3 volume, a gigabyte and month.
    pub volume_gigabyte_month: Money,
    /// What is in a bucket, a gigabyte and month.
    pub bucket_gigabyte_month: Money,
    /// Linux instances on demand, an hour, by type.
    pub instances: BTreeMap<String, Money>,
}

/// Why there are no prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    /// The file is not one of prices.
    #[error("the table of prices cannot be read: {0}")]
    Unreadable(String),
}

impl Prices {
    /// Returns the table that comes with the platform.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(include_str!("prices.toml")).expect("a test reads this file")
    }

    /// Reads a table of one's own.
    ///
    /// # Errors
    /// It is not one of prices.
    pub fn read(text: &str) -> Result<Self, PricesError> {
        toml::from_str(text).map_err(|error| PricesError::Unreadable(error.message().to_owned()))
    }

    /// Returns the prices of a region, if they are known.
    #[must_use]
    pub fn region(&self, name: &str) -> Option<&RegionPrices> {
        self.regions.get(name)
    }

    /// Returns the region of a zone such as `us-east-1a`, and its prices, if they are known.
    #[must_use]
    pub fn of_zone(&self, zone: &str) -> Option<(&str, &RegionPrices)> {
        let holds = |region: &str| {
            zone.strip_prefix(region).is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_digit()))
        };
        self.regions
            .iter()
            .find(|(region, _)| holds(region))
            .map(|(region, prices)| (region.as_str(), prices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_has_prices_for_two_regions_and_says_where_they_are_from() {
        let prices = Prices::built_in();
        assert!(!prices.source.is_empty() && prices.date.starts_with("20"), "{prices:?}");
        for region in ["us-east-1", "eu-central-1"] {
            let region = prices.region(region).unwrap();
            assert!(region.instances.len() >= 20);
            assert!(region.instances.values().all(|price| *price > Money::ZERO));
        }
        assert!(prices.region("mars-1").is_none());
        let region = |zone| prices.of_zone(zone).map(|(region, _)| region);
        assert_eq!(
            (region("us-east-1a"), region("us-east-1-bos-1a")),
            (Some("us-east-1"), Some("us-east-1"))
        );
        assert_eq!((region("us-east-1"), region("us-east-11a"), region("a")), (None, None, None));
    }

    #[test]
    fn twice_the_machine_costs_twice_as_much() {
        let prices = Prices::built_in();
        for region in prices.regions.values() {
            for (name, price) in &region.instances {
                let Some(double) = name.strip_suffix(".large").map(|family| format!("{family}.xlarge"))
                else {
                    continue;
                };
                let Some(double) = region.instances.get(&double) else { continue };
                let off = (double.dollars() - 2.0 * price.dollars()).abs();
                assert!(off < 0.000_2, "{name}: {price:?} and {double:?}");
            }
        }
    }

    #[test]
    fn a_misspelt_name_is_said() {
        let error = Prices::read("source = 'x'\ndate = '2026-01-01'\nregion = 1").unwrap_err();
        assert!(error.to_string().contains("region"), "{error}");
    }
}

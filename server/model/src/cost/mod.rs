//! What things cost: a table of prices, and bills made of it. Prices are list prices before taxes and discounts; what
//! depends on traffic is named and not guessed.

mod bill;
mod money;
mod prices;

pub use bill::{Bill, Line};
pub use money::{HOURS_PER_MONTH, Money};
pub use prices::{Prices, PricesError, RegionPrices};

//! What things cost: a table of prices, bills made of it, and the caps on what is decided to be paid. Prices are list prices before taxes and discounts; what
//! depends on traffic is named and not guessed.

mod bill;
mod cap;
mod costs;
mod ground;
mod money;
mod prices;

pub use bill::{Bill, Line};
pub use cap::Beyond;
pub use costs::{Costs, Estimate, NoPrice, share};
pub use ground::{Control, Ground};
pub use money::{HOURS_PER_MONTH, Money};
pub use prices::{Prices, PricesError, RegionPrices};

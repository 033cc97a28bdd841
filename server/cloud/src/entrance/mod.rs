//! The hands of the entrance: each turn looks at the load balancers, asks `model::entrance` what should be different, and does it.
//! Nothing is written down. Whose a target group is stands in its tags, so that a turn may be cut short anywhere and another
//! server may go on. Which balancers they are, and what calls to them look like, is behind [`Balancers`].

mod calls;
mod door;
mod groups;
mod hands;
mod others;
mod outcome;
mod provider;
mod records;
mod refusals;
mod right;
mod rules;
mod sight;
mod targets;
mod wanted;

pub use door::{Door, DoorKeeper, DoorWish};
pub use hands::Entrance;
pub use outcome::{Answer, Notice, Outcome, Word};
pub use provider::{Balancers, Check, Group, Leads, Listed, Manners, NewGroup, Refused, Rule};
pub use records::{Kept, NamesWish, RecordKeeper};
pub use wanted::{Shown, Wanted};

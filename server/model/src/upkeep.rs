//! What the machine of a control plane that nobody logs in to is asked to become, and what became of that. Both lie in the
//! platform's bucket: the machine looks there at each of its starts, before the server's.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::slug::Digest;

/// Where the order lies in the bucket.
pub const ORDER_KEY: &str = "control/order.json";

/// Where its outcome lies.
pub const OUTCOME_KEY: &str = "control/outcome.json";

/// Where backups are: a prefix, without the slash behind it.
pub const BACKUPS: &str = "backups";

/// Where programs are that were brought into the bucket: a prefix, with the program's digest behind a slash.
pub const PROGRAMS: &str = "bake";

/// What the machine is to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What tells it from others.
    pub id: String,
    /// The `paasd` that shall run; otherwise the one that is there.
    pub program: Option<Digest>,
    /// The backup that takes the place of what is there, by its name among the backups.
    pub restore: Option<String>,
    /// Whether what is there is backed up first.
    pub back_up: bool,
    /// Until when it counts for a machine that has data: nobody should be surprised by what was asked for and then given up.
    pub until: Timestamp,
}

/// For how long an order counts.
pub const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The order's id.
    pub order: String,
    /// When it was done with.
    pub at: Timestamp,
    /// The `paasd` that is there now.
    pub program: Digest,
    /// What it says that its version is.
    pub version: String,
    /// Where what was there is backed up.
    pub backup: Option<String>,
    /// Why the rest of it was not done. An order that failed is not tried again by itself.
    pub failure: Option<String>,
    /// Since when the server serves that started after it; nothing until it does.
    #[serde(default)]
    pub serves_since: Option<Timestamp>,
}

/// What the machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its `paasd`.
    pub program: Digest,
    /// Whether it has data.
    pub has_data: bool,
    /// The last order that it was done with, and whether that failed.
    pub last: Option<(String, bool)>,
}

/// Something that is done for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What is there is backed up.
    BackUp,
    /// Another `paasd` takes the place of the one that is there.
    Replace(Digest),
    /// The backup of this name takes the place of the data that is there.
    Restore(String),
}

impl Order {
    /// Returns what is done, in this order; nothing of an order that was done with. The backup is made by the program that is
    /// there, and read by the one that comes: any version reads the backups of those before it.
    #[must_use]
    pub fn steps(&self, present: &Present) -> Vec<Step> {
        let failed = match &present.last {
            Some((id, failed)) if *id == self.id => *failed,
            _ => return self.all(present),
        };
        // A machine without its data must not begin with none.
        if failed && self.restore.is_some() && !present.has_data { self.all(present) } else { Vec::new() }
    }

    fn all(&self, present: &Present) -> Vec<Step> {
        let replace = self.program.clone().filter(|program| *program != present.program).map(Step::Replace);
        let restore = self.restore.clone().map(Step::Restore);
        let changes = replace.is_some() || restore.is_some();
        let back_up = (changes && self.back_up && present.has_data).then_some(Step::BackUp);
        [back_up, replace, restore].into_iter().flatten().collect()
    }

    /// Tells whether it counts for a machine. One without data has nothing else to go by.
    #[must_use]
    pub fn counts(&self, present: &Present, now: Timestamp) -> bool {
        !present.has_data || now <= self.until
    }

    /// Tells whether its id and its backup can be names of files, and lead nowhere else.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let names = [Some(&self.id), self.restore.as_ref()];
        names
            .into_iter()
            .flatten()
            .all(|name| (1..=100).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain))
    }

    /// Tells whether somebody has asked for the same already.
    #[must_use]
    pub fn asks_for_the_same(&self, other: &Self) -> bool {
        Self { id: other.id.clone(), until: other.until, ..self.clone() } == *other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNTIL: Timestamp = Timestamp::UNIX_EPOCH;

    fn digest() -> impl Strategy<Value = Digest> {
        "[ab]{1}".prop_map(|letter| letter.repeat(64).parse().unwrap())
    }

    fn order() -> impl Strategy<Value = Order> {
        let restore = proptest::option::of("paas-[12]");
        ("[12]", proptest::option::of(digest()), restore, any::<bool>())
            .prop_map(|(id, program, restore, back_up)| Order { id, program, restore, back_up, until: UNTIL })
    }

    fn present() -> impl Strategy<Value = Present> {
        let last = proptest::option::of(("[12]", any::<bool>()));
        (digest(), any::<bool>(), last).prop_map(|(program, has_data, last)| Present {
            program,
            has_data,
            last,
        })
    }

    proptest! {
        #[test]
        fn nothing_is_changed_that_was_not_backed_up_unless_that_was_asked_for(order in order(), present in present()) {
            let steps = order.steps(&present);
            if !steps.is_empty() && order.back_up && present.has_data {
                prop_assert_eq!(&steps[0], &Step::BackUp);
            }
            prop_assert!(steps != [Step::BackUp], "a backup of nothing that changes");
        }

        #[test]
        fn what_was_done_is_done_once(order in order(), present in present()) {
            let last = Some((order.id.clone(), false));
            prop_assert_eq!(order.steps(&Present { last, ..present.clone() }), []);
            let failed = Present { last: Some((order.id.clone(), true)), has_data: true, ..present };
            prop_assert_eq!(order.steps(&failed), []);
        }

        #[test]
        fn a_machine_without_data_gets_the_backup_until_it_has_it(order in order(), present in present(), failed in any::<bool>()) {
            let present = Present { has_data: false, last: failed.then(|| (order.id.clone(), true)), ..present };
            let steps = order.steps(&present);
            let restores = |name: &String| steps.contains(&Step::Restore(name.clone()));
            prop_assert_eq!(order.restore.as_ref().is_none_or(restores), true);
            prop_assert!(!steps.contains(&Step::BackUp));
        }
    }

    #[test]
    fn it_is_backed_up_by_the_program_of_before_and_restored_by_the_next_one() {
        let (here, next): (Digest, Digest) =
            ("a".repeat(64).parse().unwrap(), "b".repeat(64).parse().unwrap());
        let present = Present { program: here.clone(), has_data: true, last: None };
        let order = Order {
            id: "1".into(),
            program: Some(next.clone()),
            restore: Some("paas-1".into()),
            back_up: true,
            until: UNTIL,
        };
        let steps = [Step::BackUp, Step::Replace(next), Step::Restore("paas-1".into())];
        assert_eq!(order.steps(&present), steps);
        assert_eq!(
            Order { program: Some(here), ..order.clone() }.steps(&present),
            [Step::BackUp, Step::Restore("paas-1".into())]
        );
        let later = UNTIL + COUNTS_FOR;
        assert!(Order { id: "2".into(), until: later, ..order.clone() }.asks_for_the_same(&order));
        assert!(!Order { restore: None, ..order.clone() }.asks_for_the_same(&order));
    }

    #[test]
    fn an_order_that_was_given_up_is_only_for_a_machine_without_data() {
        let program: Digest = "a".repeat(64).parse().unwrap();
        let order = Order { id: "1".into(), program: None, restore: None, back_up: true, until: UNTIL };
        let counts =
            |has_data, now| order.counts(&Present { program: program.clone(), has_data, last: None }, now);
        assert!(counts(true, UNTIL) && counts(false, UNTIL + COUNTS_FOR));
        assert!(!counts(true, UNTIL + SignedDuration::from_secs(1)));
    }

    #[test]
    fn an_order_that_leads_elsewhere_is_none() {
        let order = |id: &str, restore: &str| {
            let restore = Some(restore.into());
            Order { id: id.into(), program: None, restore, back_up: true, until: UNTIL }.is_plain()
        };
        assert!(order("1", "paas-2026-11-22T033000Z.tar.zst"));
        for wrong in ["", "../x", "a/b", ".", "..", "a b", "a\n", &"x".repeat(101)] {
            assert!(!order(wrong, "a") && !order("1", wrong), "{wrong}");
        }
    }
}

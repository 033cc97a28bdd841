//! The caps on what apps and the platform may cost: which change is refused because of one. What is cheaper than before is
//! always allowed, also where it is still too dear.

use super::{Costs, Money, NoPrice, Prices};
use crate::id::AppId;
use crate::name::AppName;

/// A change that is refused because of what it would cost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    /// It would cost more than the cap.
    #[error("{} would cost {after} a month, and its cap is {cap}", whose(.app.as_ref()))]
    Cap {
        /// The app; nothing for the platform.
        app: Option<AppName>,
        /// What it would cost.
        after: Money,
        /// The cap.
        cap: Money,
    },
    /// Nobody knows whether it would.
    #[error("a cap cannot be held: {0}")]
    Unknown(#[from] NoPrice),
}

fn whose(app: Option<&AppName>) -> &str {
    app.map_or("the platform", AppName::as_str)
}

impl Beyond {
    /// Returns what helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Cap { after, app, .. } => {
                let app = app.as_ref().map(|app| format!(" {app}")).unwrap_or_default();
                let enough = after.whole_dollars();
                format!(
                    "ask for less, or have an administrator raise the cap: `paasctl cost:cap{app} {enough}`; \
                     `paasctl cost{app}` shows what is paid for"
                )
            }
            Self::Unknown(_) => {
                let (table, without) = ("`paasd serve --prices FILE`", "`paasctl cost:cap none`");
                format!("{table} takes a table that has it; {without} goes without a cap")
            }
        }
    }
}

impl Costs {
    /// Judges a change: `self` is how things would be after it. What has no cap is not looked at.
    ///
    /// # Errors
    /// It would make an app, or the platform, dearer than its cap.
    pub fn judge(&self, before: &Self, prices: &Prices) -> Result<(), Beyond> {
        for (subject, cap) in &self.caps {
            match subject {
                Some(app) => self.judge_app(before, *app, *cap, prices)?,
                None => self.judge_platform(before, *cap, prices)?,
            }
        }
        Ok(())
    }

    fn judge_platform(&self, before: &Self, cap: Money, prices: &Prices) -> Result<(), Beyond> {
        if self.is_no_more_than(before) {
            return Ok(());
        }
        let after = self.estimate(prices)?.committed();
        if after <= cap || before.estimate(prices).is_ok_and(|before| after <= before.committed()) {
            return Ok(());
        }
        Err(Beyond::Cap { app: None, after, cap })
    }

    /// An app is judged by what it wants to run: what hosts cost may change without it.
    fn judge_app(&self, before: &Self, app: AppId, cap: Money, prices: &Prices) -> Result<(), Beyond> {
        let Some((name, formation)) = self.apps.get(&app) else { return Ok(()) };
        let was = before.apps.get(&app).map_or(0, |(_, formation)| self.parts(formation));
        if self.parts(formation) <= was {
            return Ok(());
        }
        let after = self.formation(formation, prices)?;
        if after <= cap { Ok(()) } else { Err(Beyond::Cap { app: Some(name.clone()), after, cap }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cost::costs::tests::{costs, formation, shop};
    use crate::instances::Change;

    fn dollars(dollars: f64) -> Money {
        Money::from_dollars(dollars).unwrap()
    }

    /// Returns the same with another number of replicas of the app.
    fn scaled(costs: &Costs, quantity: u32) -> Costs {
        let mut after = costs.clone();
        after.apps.get_mut(&shop()).unwrap().1 = formation(quantity);
        after
    }

    #[test]
    fn an_app_that_would_cost_more_than_its_cap_is_refused_with_what_helps() {
        let prices = Prices::built_in();
        let mut before = costs();
        before.caps.insert(Some(shop()), dollars(10.0));
        assert_eq!(scaled(&before, 1).judge(&before, &prices), Ok(()));
        let refused = scaled(&before, 4).judge(&before, &prices).unwrap_err();
        assert_eq!(refused.to_string(), "shop would cost $17.86 a month, and its cap is $10.00");
        assert!(refused.hint().contains("`paasctl cost:cap shop 18`"), "{}", refused.hint());
    }

    #[test]
    fn a_smaller_formation_is_taken_though_it_is_still_too_dear_and_without_a_price() {
        let prices = Prices::built_in();
        let mut before = scaled(&costs(), 40);
        before.caps.insert(Some(shop()), dollars(1.0));
        before.caps.insert(None, dollars(1.0));
        assert_eq!(scaled(&before, 39).judge(&before, &prices), Ok(()));
        before.settings.types[0].name = "x9.huge".to_owned();
        assert_eq!(scaled(&before, 39).judge(&before, &prices), Ok(()));
        assert!(matches!(scaled(&before, 41).judge(&before, &prices), Err(Beyond::Unknown(_))));
    }

    #[test]
    fn the_fewest_hosts_count_for_the_platform_whether_or_not_they_are_needed() {
        let prices = Prices::built_in();
        let mut before = costs();
        before.caps.insert(None, dollars(200.0));
        let bounds = |min| Change::Bounds { zone: None, min: Some(min), max: None };
        let after =
            |min| Costs { settings: before.settings.clone().changed(bounds(min)).unwrap(), ..before.clone() };
        assert_eq!(after(0).judge(&before, &prices), Ok(()));
        assert_eq!(
            after(1).judge(&before, &prices).unwrap_err().to_string().split(" would").next(),
            Some("the platform")
        );
    }

    proptest! {
        #[test]
        fn no_sequence_of_changes_goes_beyond_a_cap(
            wanted in prop::collection::vec((0u32..100, prop::option::of(0u32..4)), 1..20), cap in 30u32..1_000,
        ) {
            let prices = Prices::built_in();
            let mut now = costs();
            now.caps.insert(None, dollars(cap.into()));
            now.caps.insert(Some(shop()), dollars(f64::from(cap) / 4.0));
            let committed = |costs: &Costs| costs.estimate(&prices).unwrap().committed();
            let start = committed(&now);
            for (quantity, min) in wanted {
                let mut after = scaled(&now, quantity);
                let change = Change::Bounds { zone: None, min, max: None };
                after.settings = after.settings.changed(change).unwrap();
                if after.judge(&now, &prices).is_ok() {
                    now = after;
                }
                prop_assert!(committed(&now) <= now.caps[&None].max(start));
                prop_assert!(now.app(shop(), &prices).unwrap() <= now.caps[&Some(shop())]);
            }
        }
    }
}

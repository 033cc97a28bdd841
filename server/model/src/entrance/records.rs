//! The records in DNS that lead the platform's names to its balancers, in a zone that others have records in, too: one for all
//! names below the platform's domain, and more for those that it does not cover. What others have there is left alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::Hostname;

/// Where each name should lead, by the balancer's address; nothing where that is not known just now.
pub type RecordsWish = BTreeMap<Hostname, Option<String>>;

/// What is in a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRecords {
    /// Those that bear the platform's mark, with the addresses that they lead to.
    pub ours: BTreeMap<Hostname, String>,
    /// Names that others have given an address.
    pub taken: BTreeSet<Hostname>,
    /// Names of all records that are not ours, of whichever type, as text without a dot at the end: not all are those of hosts.
    pub others: BTreeSet<String>,
}

/// What is to be different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordChanges {
    /// These names lead there from now on.
    pub set: BTreeMap<Hostname, String>,
    /// These have none of our records any more.
    pub removed: BTreeSet<Hostname>,
    /// These should be ours alone, and are somebody else's, or somebody else's too.
    pub refused: BTreeSet<Hostname>,
}

impl RecordChanges {
    /// Tells whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

/// Says where names should lead: those below `domain` and the control plane's to the balancer `first`, those of apps to the balancers that
/// the apps are on. Patterns of people are left to them: whoever may add a name to an app should not get a whole domain.
#[must_use]
pub fn records_wish(
    domain: &Hostname,
    control: &Hostname,
    first: &str,
    apps: &[(BTreeSet<Hostname>, Option<String>)],
) -> RecordsWish {
    let mut wish: RecordsWish = [(control.clone(), Some(first.to_owned()))].into();
    for (hosts, on) in apps {
        let names = hosts.iter().filter(|host| !host.as_str().starts_with('*'));
        wish.extend(names.map(|host| (host.clone(), on.clone())));
    }
    wish.extend(pattern(domain).map(|all| (all, Some(first.to_owned()))));
    wish
}

/// Compares what should be in a zone with what is. Names that are not in it are somebody else's to lead. Those that the record for all
/// names below `domain` leads to the right balancer need none of their own.
#[must_use]
pub fn record_changes(
    wish: &RecordsWish,
    domain: &Hostname,
    zone: &Hostname,
    observed: &ObservedRecords,
) -> RecordChanges {
    let is_ours_to_set = |name: &Hostname| !observed.taken.contains(name) || observed.ours.contains_key(name);
    let usual = pattern(domain).filter(|all| is_in(all, zone) && is_ours_to_set(all));
    let usual = usual.and_then(|all| wish.get(&all)?.as_deref());
    let is_needed = |name: &Hostname, on: &str| {
        let is_below_domain = is_child(name, domain) && usual == Some(on);
        !is_below_domain || has_below(name, wish, observed)
    };
    let mut changes = RecordChanges::default();
    let mut kept = BTreeSet::new();
    for (name, on) in wish.iter().filter(|(name, _)| is_in(name, zone)) {
        let Some(on) = on else {
            kept.insert(name);
            continue;
        };
        if !is_needed(name, on) {
            continue;
        }
        kept.insert(name);
        changes.refused.extend(observed.taken.contains(name).then(|| name.clone()));
        if observed.ours.get(name) != Some(on) && is_ours_to_set(name) {
            changes.set.insert(name.clone(), on.clone());
        }
    }
    changes.removed = observed.ours.keys().filter(|name| !kept.contains(*name)).cloned().collect();
    changes
}

/// Tells whether there is something at or below a name for which a pattern does not stand for it any more (RFC 4592, 2.2.2).
fn has_below(name: &Hostname, wish: &RecordsWish, observed: &ObservedRecords) -> bool {
    let is_below = |other: &str| other.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
    let others = observed.others.iter().any(|other| other == name.as_str() || is_below(other));
    others || wish.keys().any(|other| is_below(other.as_str()))
}

fn pattern(domain: &Hostname) -> Option<Hostname> {
    format!("*.{domain}").parse().ok()
}

/// Tells whether a name is that of the zone or below it.
#[must_use]
pub fn is_in(name: &Hostname, zone: &Hostname) -> bool {
    let rest = name.as_str().strip_suffix(zone.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_child(name: &Hostname, parent: &Hostname) -> bool {
    name.as_str().split_once('.').is_some_and(|(label, rest)| label != "*" && rest == parent.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    fn app(hosts: &[&str], on: Option<&str>) -> (BTreeSet<Hostname>, Option<String>) {
        (hosts.iter().map(|host| name(host)).collect(), on.map(str::to_owned))
    }

    /// Returns what is set in the zone `zone` in which others have these records.
    fn set(
        zone: &str,
        apps: &[(BTreeSet<Hostname>, Option<String>)],
        others: &[&str],
    ) -> BTreeMap<Hostname, String> {
        let wish = records_wish(&name("a.org"), &name("api.a.org"), "one", apps);
        let others = others.iter().map(|&other| other.to_owned()).collect();
        let observed = ObservedRecords { others, ..ObservedRecords::default() };
        record_changes(&wish, &name("a.org"), &name(zone), &observed).set
    }

    fn led<const N: usize>(names: [(&str, &str); N]) -> BTreeMap<Hostname, String> {
        names.map(|(host, on)| (name(host), on.to_owned())).into()
    }

    #[test]
    fn one_record_covers_all_apps_of_the_first_balancer_and_others_have_their_own() {
        assert_eq!(set("a.org", &[app(&["shop.a.org"], Some("one"))], &[]), led([("*.a.org", "one")]));
        let apps = [app(&["shop.a.org"], Some("two")), app(&["blog.a.org", "www.b.org"], Some("one"))];
        assert_eq!(set("a.org", &apps, &[]), led([("*.a.org", "one"), ("shop.a.org", "two")]));
        let all = led([("*.a.org", "one"), ("shop.a.org", "two"), ("www.b.org", "one")]);
        assert_eq!(set("org", &apps, &[]), all);
        assert_eq!(set("a.org", &[app(&["*.x.a.org"], Some("two"))], &[]), led([("*.a.org", "one")]));
    }

    #[test]
    fn a_name_that_anything_is_at_or_below_has_a_record_of_its_own() {
        let shop = || led([("*.a.org", "one"), ("shop.a.org", "one")]);
        let apps = [app(&["shop.a.org", "www.shop.a.org"], Some("one"))];
        let mut all = shop();
        all.extend(led([("www.shop.a.org", "one")]));
        assert_eq!(set("a.org", &apps, &[]), all);
        let apps = [app(&["shop.a.org"], Some("one"))];
        assert_eq!(set("a.org", &apps, &["_acme-challenge.shop.a.org"]), shop());
        assert_eq!(set("a.org", &apps, &["shop.a.org"]), shop());
        assert_eq!(set("a.org", &apps, &["eshop.a.org", "a.org"]), led([("*.a.org", "one")]));
    }

    #[test]
    fn what_is_not_known_stays_and_what_is_somebody_elses_too() {
        let apps =
            [app(&["shop.a.org"], None), app(&["www.a.org"], Some("two")), app(&["b.org"], Some("two"))];
        let wish = records_wish(&name("a.org"), &name("api.a.org"), "one", &apps);
        let taken = [name("www.a.org"), name("mail.a.org"), name("*.a.org")];
        let observed = ObservedRecords {
            ours: led([("shop.a.org", "two"), ("old.a.org", "one"), ("*.a.org", "gone")]),
            others: taken.iter().map(ToString::to_string).collect(),
            taken: taken.into(),
        };
        let changes = record_changes(&wish, &name("a.org"), &name("a.org"), &observed);
        // Ours beside somebody else's follows all the same, and that is told.
        assert_eq!(changes.set, led([("*.a.org", "one")]));
        assert_eq!(changes.removed, [name("old.a.org")].into());
        assert_eq!(changes.refused, [name("*.a.org"), name("www.a.org")].into());
    }

    #[test]
    fn an_app_of_the_first_balancer_with_a_name_that_somebody_else_has_is_told_of() {
        let wish =
            records_wish(&name("a.org"), &name("api.a.org"), "one", &[app(&["shop.a.org"], Some("one"))]);
        let observed = ObservedRecords {
            taken: [name("shop.a.org")].into(),
            others: ["shop.a.org".to_owned()].into(),
            ..ObservedRecords::default()
        };
        let changes = record_changes(&wish, &name("a.org"), &name("a.org"), &observed);
        assert_eq!(changes.refused, [name("shop.a.org")].into());
    }

    #[test]
    fn a_zone_holds_itself_and_what_is_below_and_not_what_ends_alike() {
        assert!(is_in(&name("a.org"), &name("a.org")) && is_in(&name("*.x.a.org"), &name("a.org")));
        assert!(!is_in(&name("ba.org"), &name("a.org")) && !is_in(&name("org"), &name("a.org")));
    }

    /// Returns where visitors get who ask for a name, as RFC 4592 has it, with our records alone.
    fn resolve<'a>(host: &Hostname, observed: &'a ObservedRecords) -> Option<&'a str> {
        let below = |other: &str| other.strip_suffix(host.as_str()).is_some_and(|rest| rest.ends_with('.'));
        let exists = observed.others.iter().any(|other| other == host.as_str() || below(other))
            || observed.ours.keys().any(|other| below(other.as_str()));
        let direct = observed.ours.get(host).map(String::as_str);
        let all = observed.ours.get(&name("*.a.org")).map(String::as_str);
        direct.or(all.filter(|_| !exists && is_child(host, &name("a.org"))))
    }

    proptest! {
        /// Whatever others have, carrying out the changes leaves nothing more to do, touches nothing of theirs, and gets visitors of
        /// each name that is nobody else's to its app.
        #[test]
        fn carrying_out_changes_gets_visitors_to_their_apps(
            hosts in proptest::collection::btree_map("[a-c]\\.(a\\.org|b\\.org|b\\.a\\.org)", proptest::option::of("one|two"), 0..6),
            ours in proptest::collection::btree_map("[a-c]\\.(a\\.org|b\\.a\\.org)", "one|two|gone", 0..6),
            taken in proptest::collection::btree_set("\\*\\.a\\.org|[a-e]\\.a\\.org|[a-c]\\.b\\.a\\.org", 0..4),
            texts in proptest::collection::btree_set("(_x\\.)?[a-e]\\.a\\.org", 0..4),
        ) {
            let zone = name("a.org");
            let apps: Vec<_> = hosts.iter().map(|(host, on)| app(&[host], on.as_deref())).collect();
            let wish = records_wish(&zone, &name("api.a.org"), "one", &apps);
            let mut observed = ObservedRecords {
                ours: ours.iter().map(|(host, on)| (name(host), on.clone())).collect(),
                others: taken.iter().chain(&texts).cloned().collect(),
                taken: taken.iter().map(|host| name(host)).collect(),
            };
            let changes = record_changes(&wish, &zone, &zone, &observed);
            for host in changes.set.keys() {
                prop_assert!(!observed.taken.contains(host) || observed.ours.contains_key(host));
            }
            observed.ours.retain(|host, _| !changes.removed.contains(host));
            observed.ours.extend(changes.set);
            let again = record_changes(&wish, &zone, &zone, &observed);
            prop_assert!(again.is_empty(), "{again:?}");
            for (host, on) in wish.iter().filter(|(host, _)| is_in(host, &zone)) {
                let led = resolve(host, &observed);
                prop_assert!(on.is_none() || led == on.as_deref() || observed.taken.contains(host), "{host} {led:?}");
            }
        }
    }
}

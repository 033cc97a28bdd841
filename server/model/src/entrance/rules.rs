//! The rules of a balancer that tell apps apart by host name: five names in a rule at most, exact names before patterns, and
//! gaps between the numbers. Rules made by hand are left alone. Names that let no visitor in have a rule more, before the one that
//! leads to their app: that one stays, so that its replicas go on being checked, and visitors are back at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::Hostname;

/// The most names of one rule.
const NAMES: usize = 5;

/// Between two of our rules there is room for others.
const GAP: u32 = 10;

/// What stands for a group in a rule that leads to none: the balancer itself answers that the app is down for maintenance. The names
/// of all such apps share these rules.
pub const CLOSED: &str = "closed";

/// How many numbers there are for rules of closed names, before those of other names of the same kind.
const CLOSED_NUMBERS: u32 = 500;

/// The first number of some, and the first beyond them.
type Band = (u32, u32);

/// A rule as it is on the balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRule {
    /// What it is called there.
    pub arn: String,
    /// Its number: of two that match the lower one counts.
    pub priority: u32,
    /// The host names it is about.
    pub hosts: BTreeSet<Hostname>,
    /// The name of our group that it leads to; none for a rule that is not ours.
    pub group: Option<String>,
}

/// What is to be done about a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleChange {
    /// Make one.
    Create {
        /// Its number.
        priority: u32,
        /// Its host names.
        hosts: BTreeSet<Hostname>,
        /// Where it leads.
        group: String,
    },
    /// Let one be about these host names.
    Modify {
        /// Which one.
        arn: String,
        /// Its host names.
        hosts: BTreeSet<Hostname>,
        /// Where it leads.
        group: String,
    },
    /// Remove one.
    Delete {
        /// Which one.
        arn: String,
    },
}

/// Returns how many rules so many names need.
#[must_use]
pub fn rules_needed<'a>(hosts: impl IntoIterator<Item = &'a Hostname>) -> usize {
    let mut bands: BTreeMap<Band, usize> = BTreeMap::new();
    for host in hosts {
        *bands.entry(band("", host)).or_default() += 1;
    }
    bands.values().map(|names| names.div_ceil(NAMES)).sum()
}

/// Returns the numbers for the rule of a name that leads to a group. A `*` of a rule stands for dots as well, so that a longer
/// pattern comes before a shorter one, and exact names before all patterns.
fn band(group: &str, host: &Hostname) -> Band {
    let labels = u32::try_from(host.as_str().split('.').count()).unwrap_or(u32::MAX);
    let (first, end) = match host.as_str().starts_with('*') {
        false => (1_000, 10_500),
        true => {
            let first = 11_000 + (20 - labels.min(20)) * 1_500;
            (first, first + 1_000)
        }
    };
    if group == CLOSED { (first - CLOSED_NUMBERS, first) } else { (first, end) }
}

/// Returns what makes a balancer's rules lead these names to these groups: new ones first, so that no name is without a rule
/// meanwhile. A name stays in the rule it is in.
#[must_use]
pub fn rule_changes(
    wanted: &BTreeMap<String, BTreeSet<Hostname>>,
    observed: &[ObservedRule],
) -> Vec<RuleChange> {
    let mut taken: BTreeSet<u32> = observed.iter().map(|rule| rule.priority).collect();
    let (mut made, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let none = BTreeSet::new();
    let mut missing: BTreeMap<&str, BTreeSet<&Hostname>> =
        wanted.iter().map(|(group, hosts)| (group.as_str(), hosts.iter().collect())).collect();
    let mut kept: Vec<(&ObservedRule, BTreeSet<Hostname>)> = Vec::new();
    for rule in observed {
        let Some(group) = &rule.group else { continue };
        let wanted = wanted.get(group).unwrap_or(&none);
        let numbers = rule.hosts.iter().find(|host| wanted.contains(*host)).map(|host| band(group, host));
        // One whose number was changed by hand may be on the wrong side of another.
        let in_place = |(first, end): &Band| (*first..*end).contains(&rule.priority);
        let mut hosts = BTreeSet::new();
        if let Some(numbers) = numbers.filter(in_place) {
            let missing = missing.entry(group).or_default();
            let fits = |host: &&Hostname| band(group, host) == numbers && missing.contains(*host);
            hosts = rule.hosts.iter().filter(fits).take(NAMES).cloned().collect();
            missing.retain(|host| !hosts.contains(*host));
        }
        kept.push((rule, hosts));
    }
    for (rule, mut hosts) in kept {
        let Some(group) = &rule.group else { continue };
        let Some(numbers) = hosts.first().map(|host| band(group, host)) else {
            removed.push(RuleChange::Delete { arn: rule.arn.clone() });
            continue;
        };
        let missing = missing.entry(group).or_default();
        let fits = |host: &&&Hostname| band(group, host) == numbers;
        let more: Vec<&Hostname> = missing.iter().filter(fits).take(NAMES - hosts.len()).copied().collect();
        hosts.extend(more.iter().map(|host| (*host).clone()));
        missing.retain(|host| !more.contains(host));
        if hosts != rule.hosts {
            changed.push(RuleChange::Modify { arn: rule.arn.clone(), hosts, group: group.clone() });
        }
    }
    for (group, hosts) in missing {
        let mut bands: BTreeMap<Band, Vec<&Hostname>> = BTreeMap::new();
        hosts.into_iter().for_each(|host| bands.entry(band(group, host)).or_default().push(host));
        for (numbers, hosts) in bands {
            for hosts in hosts.chunks(NAMES) {
                let Some(priority) = free(numbers, &taken) else { continue };
                taken.insert(priority);
                let hosts = hosts.iter().map(|host| (*host).clone()).collect();
                made.push(RuleChange::Create { priority, hosts, group: group.to_owned() });
            }
        }
    }
    [made, changed, removed].concat()
}

/// Returns the first free number that leaves a gap, or else any.
fn free((first, end): Band, taken: &BTreeSet<u32>) -> Option<u32> {
    let band = || (first..end).filter(|priority| !taken.contains(priority));
    band().find(|priority| priority % GAP == 0).or_else(|| band().next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The highest number that a rule may have.
    const LAST: u32 = 50_000;

    fn host(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    /// The rules after the changes were carried out.
    fn apply(rules: &[ObservedRule], changes: &[RuleChange]) -> Vec<ObservedRule> {
        let mut rules = rules.to_vec();
        for change in changes {
            match change.clone() {
                RuleChange::Create { priority, hosts, group } => {
                    assert!(rules.iter().all(|rule| rule.priority != priority), "the number is taken");
                    let named = |n: &usize| rules.iter().all(|rule| rule.arn != format!("rule-{n}"));
                    let arn = format!("rule-{}", (0..).find(named).unwrap());
                    rules.push(ObservedRule { arn, priority, hosts, group: Some(group) });
                }
                RuleChange::Modify { arn, hosts, .. } => {
                    rules.iter_mut().find(|rule| rule.arn == arn).unwrap().hosts = hosts;
                }
                RuleChange::Delete { arn } => rules.retain(|rule| rule.arn != arn),
            }
        }
        rules
    }

    /// Where the balancer sends a request: an ALB's `*` stands for any characters.
    fn leads<'a>(rules: &'a [ObservedRule], name: &str) -> Option<&'a str> {
        let matches = |rule: &&ObservedRule| {
            rule.hosts.iter().any(|host| match host.as_str().strip_prefix('*') {
                Some(end) => name.ends_with(end),
                None => host.as_str() == name,
            })
        };
        rules.iter().filter(matches).min_by_key(|rule| rule.priority)?.group.as_deref()
    }

    #[test]
    fn exact_names_come_before_patterns_and_long_patterns_before_short_ones() {
        let wanted = [
            ("a".to_owned(), [host("*.example.com")].into()),
            ("b".to_owned(), [host("*.eu.example.com")].into()),
            ("c".to_owned(), [host("www.eu.example.com")].into()),
        ];
        let rules = apply(&[], &rule_changes(&wanted.into(), &[]));
        let led = ["www.example.com", "x.eu.example.com", "www.eu.example.com", "other"]
            .map(|name| leads(&rules, name));
        assert_eq!(led, [Some("a"), Some("b"), Some("c"), None]);
    }

    #[test]
    fn one_more_name_changes_one_rule_and_a_rule_made_by_hand_is_left_alone() {
        let mut wanted: BTreeMap<String, BTreeSet<Hostname>> = BTreeMap::new();
        wanted.insert("a".to_owned(), (0..7).map(|n| host(&format!("m{n}.example.com"))).collect());
        let by_hand = ObservedRule {
            arn: "hand".to_owned(),
            priority: 1_000,
            hosts: [host("m1.example.com")].into(),
            group: None,
        };
        let rules =
            apply(std::slice::from_ref(&by_hand), &rule_changes(&wanted, std::slice::from_ref(&by_hand)));
        assert_eq!(rules.iter().map(|rule| rule.priority).collect::<Vec<_>>(), [1_000, 1_010, 1_020]);
        wanted.get_mut("a").unwrap().insert(host("a0.example.com"));
        let changes = rule_changes(&wanted, &rules);
        assert!(matches!(&changes[..], [RuleChange::Modify { .. }]), "{changes:?}");
        assert!(apply(&rules, &changes).contains(&by_hand));
    }

    #[test]
    fn closed_names_come_before_open_ones_of_their_kind_and_after_more_exact_ones() {
        let open = [
            ("a".to_owned(), [host("*.example.com"), host("shop.example.com")].into()),
            ("b".to_owned(), [host("www.shop.example.com"), host("*.eu.example.com")].into()),
        ];
        let mut wanted: BTreeMap<String, BTreeSet<Hostname>> = open.clone().into();
        let before = apply(&[], &rule_changes(&wanted, &[]));
        wanted.insert(CLOSED.to_owned(), wanted["a"].clone());
        let changes = rule_changes(&wanted, &before);
        assert!(changes.iter().all(|change| matches!(change, RuleChange::Create { .. })), "{changes:?}");
        let rules = apply(&before, &changes);
        let led = ["any.example.com", "shop.example.com", "www.shop.example.com", "x.eu.example.com"]
            .map(|name| leads(&rules, name));
        assert_eq!(led, [Some(CLOSED), Some(CLOSED), Some("b"), Some("b")]);
        let after = apply(&rules, &rule_changes(&open.into(), &rules));
        assert_eq!(after, before);
    }

    fn names() -> impl Strategy<Value = BTreeMap<String, BTreeSet<Hostname>>> {
        let name = (0u8..3, 0u8..40).prop_map(|(kind, n)| match kind {
            0 => format!("*.d{}.example.com", n % 5),
            1 => format!("*.x{n}.d{}.example.com", n % 5),
            _ => format!("h{n}.example.com"),
        });
        prop::collection::btree_map(name, 0u8..6, 0..60).prop_map(|owners| {
            let mut groups: BTreeMap<String, BTreeSet<Hostname>> = BTreeMap::new();
            for (name, owner) in owners {
                let group = if owner == 0 { CLOSED.to_owned() } else { format!("g{owner}") };
                groups.entry(group).or_default().insert(host(&name));
            }
            groups
        })
    }

    proptest! {
        #[test]
        fn from_any_rules_each_name_gets_one_rule_of_five_names_and_then_nothing_changes(
            before in names(), after in names(), meddled in prop::collection::vec((any::<prop::sample::Index>(), 1u32..LAST), 0..4),
        ) {
            let mut rules = apply(&[], &rule_changes(&before, &[]));
            // Somebody changes numbers, and lets a rule lead nowhere of ours.
            for (at, priority) in meddled {
                if !rules.is_empty() && rules.iter().all(|rule| rule.priority != priority) {
                    let at = at.index(rules.len());
                    rules[at].priority = priority;
                }
            }
            let changes = rule_changes(&after, &rules);
            let rules = apply(&rules, &changes);
            prop_assert!(rule_changes(&after, &rules).is_empty());
            prop_assert!(rules.iter().all(|rule| (1..=NAMES).contains(&rule.hosts.len()) && rule.priority <= LAST));
            for (group, hosts) in &after {
                for host in hosts {
                    let name = host.as_str().replace('*', "any");
                    prop_assert_eq!(leads(&rules, &name), Some(group.as_str()));
                }
                let ours = rules.iter().filter(|rule| rule.group.as_ref() == Some(group));
                let led: BTreeSet<Hostname> = ours.flat_map(|rule| rule.hosts.clone()).collect();
                prop_assert_eq!(&led, hosts);
            }
        }
    }
}

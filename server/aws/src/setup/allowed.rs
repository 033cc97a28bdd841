//! What security groups let in, in AWS's own terms, so that what there is can be compared with what is wanted.

use std::collections::BTreeSet;

use super::{Found, Part, Rule, Source, Who};

/// One thing that a group lets in, as AWS says it: what AWS shows more of is more than is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Allowed {
    pub(crate) protocol: String,
    pub(crate) first: i32,
    pub(crate) last: i32,
    /// Addresses, or a group's id.
    pub(crate) from: String,
}

/// Returns what a group should let in; none while a group that it names is not there.
pub(crate) fn wanted(who: Who, found: &Found) -> Option<BTreeSet<Allowed>> {
    let mut all = BTreeSet::new();
    for rule in Rule::of(who) {
        for from in senders(rule.from, found)? {
            let (first, last) = (i32::from(rule.first), i32::from(rule.last));
            all.insert(Allowed { protocol: "tcp".into(), first, last, from });
        }
    }
    Some(all)
}

fn senders(source: Source, found: &Found) -> Option<Vec<String>> {
    match source {
        Source::World => Some(vec!["0.0.0.0/0".into(), "::/0".into()]),
        Source::Group(Who::Entrance) if !found.adopted.entrance_groups.is_empty() => {
            Some(found.adopted.entrance_groups.clone())
        }
        Source::Group(who) => found.id(&Part::Group(who)).map(|id| vec![id.to_owned()]),
    }
}

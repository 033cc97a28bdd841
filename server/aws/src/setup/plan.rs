//! The steps from what there is to what is wanted, and from what there is to nothing. Nothing here takes them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Entrance, Found, Part, Piece, Setting, Wish};

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Makes it.
    Create,
    /// Sets something of it.
    Set(Setting),
    /// Removes one of two.
    Discard {
        /// Which.
        id: String,
    },
    /// Removes it.
    Remove {
        /// Which.
        id: String,
    },
}

/// One step, which may be one call or a few.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what.
    pub part: Part,
    /// Why.
    pub reason: String,
}

/// Returns what is to be done, in order. Nothing, if all is as wanted.
#[must_use]
pub fn plan(wish: &Wish, found: &Found) -> Vec<Step> {
    let wish = &wish.as_found(found);
    let mut steps = Vec::new();
    // Security groups name each other in their rules, so all of them are made before any is set.
    let mut rules = Vec::new();
    for part in wish.parts() {
        let is_group = matches!(part, Part::Group(_));
        if !is_group {
            steps.append(&mut rules);
        }
        let piece = found.piece(&part);
        if piece.is_none() {
            let reason = "there is none with the platform's tag".to_owned();
            steps.push(Step { action: Action::Create, part: part.clone(), reason });
        }
        let holds = |setting: &Setting| piece.is_some_and(|piece| piece.holds.contains(setting));
        let settings = wish.settings(&part).into_iter().filter(|setting| !holds(setting));
        let set = settings.map(|setting| {
            let reason = if piece.is_some() { setting.lack() } else { setting.purpose() };
            Step { action: Action::Set(setting), part: part.clone(), reason: reason.to_owned() }
        });
        if is_group { rules.extend(set) } else { steps.extend(set) }
    }
    let doubles = found.doubles().filter(|(_, piece)| piece.used == 0);
    steps.extend(doubles.map(|(part, piece)| Step {
        action: Action::Discard { id: piece.id.clone() },
        part: part.clone(),
        reason: "it was made twice, because an answer was lost, and nothing uses this one".to_owned(),
    }));
    let surplus = surplus(wish, found).filter(|(_, piece)| piece.used == 0);
    // A listener goes before its load balancer.
    steps.extend(surplus.rev().map(|(part, piece)| Step {
        action: Action::Remove { id: piece.id.clone() },
        part: part.clone(),
        reason: "there are to be fewer load balancers, and no app uses this one".to_owned(),
    }));
    steps
}

/// Returns the load balancers that are to go, by number, and cannot: apps have rules there, and their visitors' DNS records lead there.
#[must_use]
pub fn used_surplus(wish: &Wish, found: &Found) -> BTreeSet<u8> {
    surplus(&wish.as_found(found), found)
        .filter(|(_, piece)| piece.used > 0)
        .filter_map(|(part, _)| number(part))
        .collect()
}

/// Returns the load balancers beyond those that are wanted, each before its listeners.
fn surplus<'a>(wish: &Wish, found: &'a Found) -> impl DoubleEndedIterator<Item = (&'a Part, &'a Piece)> {
    let own = matches!(wish.entrance, Entrance::Own { .. });
    let count = wish.balancers.filter(|_| own).unwrap_or(u8::MAX);
    found.all().filter(move |(part, _)| number(part).is_some_and(|number| number > count))
}

/// Returns the number of a load balancer, or of that which a port is of.
fn number(part: &Part) -> Option<u8> {
    match part {
        Part::Balancer(number) | Part::Listener(number, _) => Some(*number),
        _ => None,
    }
}

/// Returns what is to be removed, in order: the reverse of how it was made. The bucket holds what cannot be made again, so it goes
/// only when that is asked for.
#[must_use]
pub fn removal(found: &Found, bucket_too: bool) -> Vec<Step> {
    // A bucket without our tags may be another's, whatever it is called.
    let bucket_goes = |piece: &Piece| bucket_too && piece.holds.contains(&Setting::Tags);
    let goes = |part: &Part, piece: &Piece| *part != Part::Bucket || bucket_goes(piece);
    let mut parts: Vec<_> = found.all().filter(|(part, piece)| goes(part, piece)).collect();
    parts.sort_by_key(|(part, _)| std::cmp::Reverse(rank(part)));
    parts
        .into_iter()
        .map(|(part, piece)| Step {
            action: Action::Remove { id: piece.id.clone() },
            part: part.clone(),
            reason: "it carries the platform's tag".to_owned(),
        })
        .collect()
}

/// Returns when a part is made; what needs others comes later.
fn rank(part: &Part) -> u8 {
    match part {
        Part::Bucket => 0,
        Part::Vpc => 1,
        Part::Gateway => 2,
        Part::PublicRoutes => 3,
        Part::PublicSubnet(_) => 4,
        Part::Address(_) => 5,
        Part::Nat(_) => 6,
        Part::PrivateRoutes(_) => 7,
        Part::PrivateSubnet(_) => 8,
        Part::BucketEndpoint => 9,
        // The host's group names the control plane's and the entrance's.
        Part::Group(_) => 10,
        Part::Role(_) => 11,
        Part::Profile(_) => 12,
        Part::Template => 13,
        Part::Balancer(_) => 14,
        Part::Listener(..) => 15,
    }
}

impl Setting {
    /// Returns why it is set on something new.
    fn purpose(self) -> &'static str {
        match self {
            Self::Tags => "says whose it is",
            Self::HostNames => "machines in it have names",
            Self::Attached => "joins it to the network",
            Self::Addresses => "says whether machines in it get public addresses",
            Self::Routed => "gives it its routes",
            Self::WayOut => "lets it call out",
            Self::ListedInRoutes => "slugs pass neither NAT nor the internet",
            Self::Rules => "lets in what is needed and nothing else",
            Self::Policy => "gives the rights of its policy and no others",
            Self::Role => "puts the role in it",
            Self::Content => "IMDSv2 only, one hop, encrypted disk",
            Self::DnsZone => "tells the control plane in which hosted zone it keeps names",
            Self::Private => "nothing in it can be made public",
            Self::Encrypted => "what is stored is encrypted",
            Self::Versioned => "what is overwritten can be had back",
            Self::TlsOnly => "refuses what is not sent over TLS",
            Self::Tidied => "what was removed from it costs nothing after thirty days",
            Self::Subnets => "reaches the hosts of each zone",
            Self::StrictHeaders => "drops headers that can be read in two ways",
            Self::Answer => "answers what is for no app",
        }
    }

    /// Returns why it is set on something that is there.
    fn lack(self) -> &'static str {
        match self {
            Self::Tags => "its tags are missing",
            Self::HostNames => "machines in it have no names",
            Self::Attached => "it is not joined to the network",
            Self::Addresses => "public addresses are given out otherwise than wanted",
            Self::Routed => "it does not follow its routes",
            Self::WayOut => "the way out is missing or another",
            Self::ListedInRoutes => "not all routes know it",
            Self::Rules => "it lets in something else than wanted",
            Self::Policy => "its rights are not those of its policy",
            Self::Role => "its role is not in it",
            Self::Content => "new hosts would be started otherwise than wanted",
            Self::DnsZone => "the control plane keeps names elsewhere, or not at all",
            Self::Private => "something in it could be made public",
            Self::Encrypted => "what is stored would not be encrypted",
            Self::Versioned => "what is overwritten would be gone",
            Self::TlsOnly => "it answers without TLS",
            Self::Tidied => "what was removed from it stays, and costs, for ever",
            Self::Subnets => "it does not reach the hosts of each zone",
            Self::StrictHeaders => "it lets odd headers pass",
            Self::Answer => "it answers otherwise than wanted",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::setup::Egress;
    use crate::setup::wish::tests::wish;

    /// Takes a step as AWS would.
    fn take(found: &mut Found, step: &Step, number: usize) {
        match &step.action {
            Action::Create => {
                found.note(step.part.clone(), Piece { id: format!("id-{number}"), ..Piece::default() })
            }
            Action::Set(setting) => found.note_set(&step.part, *setting),
            Action::Discard { id } | Action::Remove { id } => found.forget(&step.part, id),
        }
    }

    #[test]
    fn when_all_steps_are_taken_nothing_is_left_to_do() {
        let (wish, mut found) = (wish(), Found::default());
        for (number, step) in plan(&wish, &found).iter().enumerate() {
            take(&mut found, step, number);
        }
        assert_eq!(plan(&wish, &found), []);
        for step in removal(&found, true) {
            take(&mut found, &step, 0);
        }
        assert_eq!(found.all().count(), 0);
    }

    #[test]
    fn a_part_is_made_before_it_is_set_and_after_what_it_needs() {
        let steps = plan(&Wish { egress: Egress::NatPerZone, ..wish() }, &Found::default());
        let made = |part: &Part| {
            steps.iter().position(|step| step.part == *part && step.action == Action::Create).unwrap()
        };
        let zone = || "us-east-1b".to_owned();
        for (first, then) in [
            (Part::Vpc, Part::PublicSubnet(zone())),
            (Part::PublicRoutes, Part::PublicSubnet(zone())),
            (Part::Address(zone()), Part::Nat(zone())),
            (Part::PublicSubnet(zone()), Part::Nat(zone())),
            (Part::Nat(zone()), Part::PrivateRoutes(zone())),
            (Part::Balancer(1), Part::Listener(1, 80)),
        ] {
            assert!(made(&first) < made(&then), "{first} before {then}");
        }
    }

    #[test]
    fn all_security_groups_are_made_before_any_is_set() {
        let steps = plan(&wish(), &Found::default());
        let groups = || steps.iter().enumerate().filter(|(_, step)| matches!(step.part, Part::Group(_)));
        let last_made =
            groups().filter(|(_, step)| step.action == Action::Create).map(|(n, _)| n).max().unwrap();
        let first_set =
            groups().filter(|(_, step)| step.action != Action::Create).map(|(n, _)| n).min().unwrap();
        assert!(last_made < first_set, "they name each other in their rules");
    }

    #[test]
    fn the_bucket_stays_unless_its_removal_is_asked_for() {
        let mut found = Found::default();
        found.note(Part::Bucket, Piece { id: "b".into(), ..Piece::default() });
        assert_eq!(removal(&found, false), []);
        assert_eq!(removal(&found, true), [], "it does not carry our tags");
        found.note_set(&Part::Bucket, Setting::Tags);
        assert_eq!(removal(&found, false), []);
        assert_eq!(removal(&found, true).len(), 1);
    }

    #[test]
    fn of_two_the_one_that_is_used_stays() {
        let mut found = Found::default();
        found.note(Part::Vpc, Piece { id: "vpc-1".into(), ..Piece::default() });
        found.note(Part::Vpc, Piece { id: "vpc-2".into(), used: 3, ..Piece::default() });
        assert_eq!(found.id(&Part::Vpc), Some("vpc-2"));
        let discards: Vec<_> = plan(&wish(), &found)
            .into_iter()
            .filter(|s| matches!(s.action, Action::Discard { .. }))
            .collect();
        assert_eq!(discards.len(), 1);
        assert_eq!(discards.first().unwrap().action, Action::Discard { id: "vpc-1".into() });
    }

    #[test]
    fn fewer_load_balancers_are_had_only_of_those_that_no_app_uses_and_nobody_who_says_nothing_loses_one() {
        let (mut found, three) = (Found::default(), Wish { balancers: Some(3), ..wish() });
        for (number, step) in plan(&three, &found).iter().enumerate() {
            take(&mut found, step, number);
        }
        assert_eq!(plan(&wish(), &found), []);
        let one = Wish { balancers: Some(1), ..wish() };
        let parts = |steps: Vec<Step>| steps.iter().map(|step| step.part.to_string()).collect::<Vec<_>>();
        let removed = ["listener.3.80", "listener.2.80", "load-balancer.3", "load-balancer.2"];
        assert_eq!(parts(plan(&one, &found)), removed);
        let id = |found: &Found, part| found.id(&part).unwrap().to_owned();
        for part in [Part::Balancer(2), Part::Listener(2, 80)] {
            let piece = Piece { used: 4, ..found.piece(&part).unwrap().clone() };
            let id = id(&found, part.clone());
            found.forget(&part, &id);
            found.note(part, piece);
        }
        assert_eq!(parts(plan(&one, &found)), ["listener.3.80", "load-balancer.3"]);
        assert_eq!(used_surplus(&one, &found), [2].into());
        assert_eq!(used_surplus(&wish(), &found), [].into());
    }

    proptest! {
        #[test]
        fn from_any_point_it_is_finished_without_making_anything_twice(stops in prop::collection::vec(0..90_usize, 0..6)) {
            let (wish, mut found) = (wish(), Found::default());
            let mut number = 0;
            for stop in stops.into_iter().chain([usize::MAX]) {
                for step in plan(&wish, &found).iter().take(stop) {
                    number += 1;
                    take(&mut found, step, number);
                }
            }
            prop_assert_eq!(plan(&wish, &found), vec![]);
            prop_assert_eq!(found.doubles().count(), 0);
        }

        #[test]
        fn what_is_removed_is_needed_by_nothing_that_is_left(n in 0..90_usize) {
            let (wish, mut found) = (Wish { egress: Egress::OneNat, ..wish() }, Found::default());
            for (number, step) in plan(&wish, &Found::default()).iter().take(n).enumerate() {
                take(&mut found, step, number);
            }
            let order: Vec<u8> = removal(&found, true).iter().map(|step| rank(&step.part)).collect();
            prop_assert!(order.is_sorted_by(|a, b| a >= b));
        }
    }
}

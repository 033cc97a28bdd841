//! What holds of hosts that fall silent and come back in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{heard, id, seconds};
use super::*;

/// A server that hears of hosts as it happens, and its losses are written down.
struct Watching {
    zones: usize,
    now: u64,
    calm_since: u64,
    last: Vec<u64>,
    lost: Vec<Option<u64>>,
}

impl Watching {
    fn zone(&self, host: HostId) -> &'static str {
        ["a", "b", "c", "d"][usize::try_from(host.0.as_u128()).unwrap() % self.zones]
    }

    fn look(&self, grace: Duration) -> (Vec<Heard<'static>>, Fleet) {
        let one = |(n, (last, lost)): (u128, (&u64, &Option<u64>))| Heard {
            host: id(n),
            zone: Some(self.zone(id(n))),
            unheard: seconds(self.now - last),
            lost: lost.map(|at| seconds(self.now - at)),
            answers: None,
        };
        let hosts: Vec<_> = (1u128..).zip(self.last.iter().zip(&self.lost)).map(one).collect();
        let fleet = judge(&hosts, seconds(self.now - self.calm_since), grace);
        (hosts, fleet)
    }
}

proptest! {
    #[test]
    fn in_any_history_at_most_a_third_or_a_zone_is_out_and_nobody_is_lost_without_its_grace(
        hosts in 1usize..12,
        zones in 1usize..5,
        grace in 4u64..40,
        cuts in prop::collection::vec((prop::collection::vec(any::<bool>(), 12), 1u64..60), 1..12),
    ) {
        let mut it = Watching { zones, now: 100, calm_since: 100, last: vec![100; hosts], lost: vec![None; hosts] };
        for (up, lasts) in cuts {
            for _ in 0..lasts {
                it.now += 1;
                for n in (0..hosts).filter(|n| up[*n]) {
                    it.last[n] = it.now;
                }
                let (heard, fleet) = it.look(seconds(grace));
                let unheard: Vec<_> = heard.iter().filter(|host| host.unheard >= SILENCE).collect();
                let few = unheard.len() <= (hosts / 3).max(1);
                let calling: BTreeSet<_> =
                    heard.iter().filter(|host| host.unheard < SILENCE).map(|host| host.zone).collect();
                prop_assert!(!few || fleet.doubt.is_none());
                prop_assert!(few || calling.len() >= 2 || fleet.doubt.is_some());
                prop_assert!(fleet.doubt.is_none() || fleet.lost.is_empty());
                let beside = |zone: &str| fleet.silent.iter().filter(|host| it.zone(**host) != zone).count();
                let least = ["a", "b", "c", "d"].into_iter().map(beside).min().unwrap();
                prop_assert!(fleet.silent.len() <= (hosts / 3).max(1) || least <= hosts / 3, "{:?}", fleet);
                for host in fleet.silent.iter().chain(&fleet.lost) {
                    let known = heard.iter().find(|known| known.host == *host).unwrap();
                    prop_assert!(known.unheard >= SILENCE && known.lost.is_none());
                }
                for host in &fleet.lost {
                    prop_assert!(fleet.silent.contains(host));
                    let n = usize::try_from(host.0.as_u128()).unwrap() - 1;
                    prop_assert!(it.now - it.last[n] >= grace && it.now - it.calm_since >= grace);
                    it.lost[n] = Some(it.now);
                }
                if fleet.doubt.is_some() {
                    it.calm_since = it.now;
                }
                // One that returns is no more lost.
                for n in (0..hosts).filter(|n| up[*n]) {
                    it.lost[n] = None;
                }
            }
        }
    }

    #[test]
    fn nothing_changes_unheard_before_the_moment_that_was_told(
        ages in prop::collection::vec(0u64..50, 1..10), calm in 0u64..60, grace in 4u64..40,
    ) {
        let hosts = heard(&ages);
        let fleet = judge(&hosts, seconds(calm), seconds(grace));
        let Some(next) = fleet.next else { return Ok(()) };
        prop_assert!(next > Duration::ZERO);
        let wait = next - Duration::from_millis(1);
        let later: Vec<_> = hosts.iter().map(|host| Heard { unheard: host.unheard + wait, ..*host }).collect();
        let after = judge(&later, seconds(calm) + wait, seconds(grace));
        if after.doubt.is_none() {
            prop_assert_eq!((after.silent, after.lost), (fleet.silent, fleet.lost));
        }
    }

    #[test]
    fn whoever_answers_load_balancers_is_lost_no_sooner_for_it(
        hosts in prop::collection::vec((0usize..3, 0u64..50, any::<bool>()), 1..10), grace in 4u64..40,
    ) {
        let zone = |n: usize| Some(["a", "b", "c"][n]);
        let ages: Vec<u64> = hosts.iter().map(|(_, ago, _)| *ago).collect();
        let mut unknown = heard(&ages);
        unknown.iter_mut().zip(&hosts).for_each(|(host, (n, ..))| host.zone = zone(*n));
        let answering: Vec<_> = unknown.iter().zip(&hosts).map(|(host, (.., knows))| Heard { answers: knows.then_some(true), ..*host }).collect();
        let judged = |hosts: &[Heard<'_>]| judge(hosts, seconds(86_400), seconds(grace));
        prop_assert_eq!(judged(&answering), judged(&unknown));
    }
}

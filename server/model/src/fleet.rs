//! Which hosts are silent and which are lost, from how long ago each was heard of. One that is silent may come back any
//! moment; what is lost is decided once. Who hears of too few hosts takes itself for the one that is cut off.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::id::HostId;

/// How long a host may be unheard of until requests go elsewhere. It calls every two seconds.
pub const SILENCE: Duration = Duration::from_secs(4);

/// How long a silent host has to come back, unless the platform was told otherwise.
pub const GRACE: Duration = Duration::from_secs(30);

/// How long a loss counts: who loses hosts one after the other is cut off as well as who loses them at once.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What is known of a host.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Which one.
    pub host: HostId,
    /// How long ago it was heard of; since this server began to listen, if never.
    pub unheard: Duration,
    /// How long ago it was declared lost, if it is.
    pub lost: Option<Duration>,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Hosts to which no request goes for now.
    pub silent: BTreeSet<HostId>,
    /// Hosts to be declared lost.
    pub lost: Vec<HostId>,
    /// Why nothing is done just now.
    pub doubt: Option<Doubt>,
    /// When this may change although nothing is heard, from now.
    pub next: Option<Duration>,
}

/// More hosts are unheard of at once than fail at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Hosts that are unheard of.
    pub unheard: usize,
    /// All that count.
    pub of: usize,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} hosts are not heard of at once: it is probably this server that is cut off, so it declares none \
             lost, keeps the last routes and changes nothing until it hears of more; `paasctl hosts:remove HOST --force` \
             tells it of one that is gone for good",
            self.unheard, self.of
        )
    }
}

/// Judges hosts. `calm` is for how long this server has listened without a doubt, nor a pause of its own: what was
/// unheard of before that is held against nobody, so that each has its time to come back after a cut has healed.
#[must_use]
pub fn judge(hosts: &[Heard], calm: Duration, grace: Duration) -> Fleet {
    let grace = grace.max(SILENCE);
    let counts = |heard: &&Heard| heard.lost.is_none_or(|ago| ago < REMEMBERED);
    let of = hosts.iter().filter(counts).count();
    let mut unheard: Vec<Duration> =
        hosts.iter().filter(counts).map(|heard| heard.unheard).filter(|ago| *ago >= SILENCE).collect();
    unheard.sort_unstable_by(|a, b| b.cmp(a));
    let allowed = (of / 3).max(1);
    let present = || hosts.iter().filter(|heard| heard.lost.is_none());
    if let Some(tipping) = unheard.get(allowed) {
        // Those that were out before the others fell silent are not brought back by that.
        let before = *tipping + SILENCE;
        return Fleet {
            silent: present().filter(|heard| heard.unheard >= before).map(|heard| heard.host).collect(),
            lost: Vec::new(),
            doubt: Some(Doubt { unheard: unheard.len(), of }),
            next: None,
        };
    }
    let held = |heard: &Heard| heard.unheard.min(calm);
    let is_lost = |heard: &&Heard| held(heard) >= grace;
    let is_silent = |heard: &&Heard| held(heard) >= SILENCE;
    let until = |heard: &Heard| if held(heard) < SILENCE { SILENCE } else { grace } - held(heard);
    Fleet {
        silent: present().filter(is_silent).map(|heard| heard.host).collect(),
        lost: present().filter(is_lost).map(|heard| heard.host).collect(),
        doubt: None,
        next: present().filter(|heard| !is_lost(heard)).map(until).min(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const LONG: Duration = Duration::from_secs(86_400);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn heard(ages: &[u64]) -> Vec<Heard> {
        let one = |(n, ago): (u128, &u64)| Heard { host: id(n), unheard: seconds(*ago), lost: None };
        (1u128..).zip(ages).map(one).collect()
    }

    fn id(n: u128) -> HostId {
        HostId(Uuid::from_u128(n))
    }

    #[test]
    fn a_host_is_silent_after_four_seconds_and_lost_after_the_grace() {
        let judged = |age| judge(&heard(&[0, 1, age]), LONG, GRACE);
        assert_eq!(judged(3), Fleet { next: Some(seconds(1)), ..Fleet::default() });
        assert_eq!(judged(4), Fleet { silent: [id(3)].into(), next: Some(seconds(3)), ..Fleet::default() });
        assert_eq!(judged(29).lost, []);
        assert_eq!(judged(30).lost, [id(3)]);
    }

    #[test]
    fn whoever_hears_of_less_than_two_thirds_takes_itself_for_cut_off() {
        let fleet = judge(&heard(&[0, 40, 41]), LONG, GRACE);
        assert_eq!((fleet.silent, fleet.lost), (BTreeSet::new(), Vec::new()));
        let doubt = fleet.doubt.unwrap();
        assert!(
            doubt
                .to_string()
                .starts_with("2 of 3 hosts are not heard of at once: it is probably this server")
        );
    }

    #[test]
    fn of_two_hosts_one_may_be_lost() {
        assert_eq!(judge(&heard(&[0, 30]), LONG, GRACE).lost, [id(2)]);
        assert!(judge(&heard(&[30, 30]), LONG, GRACE).doubt.is_some());
    }

    #[test]
    fn one_that_was_out_before_the_others_fell_silent_stays_out() {
        assert_eq!(judge(&heard(&[0, 20, 5]), LONG, GRACE).silent, [id(2)].into());
        assert_eq!(judge(&heard(&[0, 6, 5]), LONG, GRACE).silent, [].into());
    }

    #[test]
    fn after_a_cut_has_healed_each_host_has_its_time_to_call() {
        let hosts = heard(&[0, 1, 60]);
        assert_eq!(judge(&hosts, seconds(2), GRACE), Fleet { next: Some(seconds(2)), ..Fleet::default() });
        assert_eq!(judge(&hosts, seconds(5), GRACE).silent, [id(3)].into());
        assert_eq!(judge(&hosts, seconds(30), GRACE).lost, [id(3)]);
    }

    #[test]
    fn a_loss_counts_for_an_hour() {
        let mut hosts = heard(&[0, 0, 0, 0, 9_000]);
        hosts[4].lost = Some(seconds(60));
        assert_eq!(judge(&hosts, LONG, GRACE).silent, [].into());
        hosts[3].unheard = seconds(10);
        assert!(judge(&hosts, LONG, GRACE).doubt.is_some());
        hosts[4].lost = Some(seconds(4_000));
        assert_eq!(judge(&hosts, LONG, GRACE).silent, [id(4)].into());
    }

    /// A server that hears of hosts as it happens, and its losses are written down.
    struct Watching {
        now: u64,
        calm_since: u64,
        last: Vec<u64>,
        lost: Vec<Option<u64>>,
    }

    impl Watching {
        fn look(&self, grace: Duration) -> (Vec<Heard>, Fleet) {
            let one = |(n, (last, lost)): (u128, (&u64, &Option<u64>))| Heard {
                host: id(n),
                unheard: seconds(self.now - last),
                lost: lost.map(|at| seconds(self.now - at)),
            };
            let hosts: Vec<_> = (1u128..).zip(self.last.iter().zip(&self.lost)).map(one).collect();
            let fleet = judge(&hosts, seconds(self.now - self.calm_since), grace);
            (hosts, fleet)
        }
    }

    proptest! {
        #[test]
        fn in_any_history_at_most_a_third_is_out_and_nobody_is_lost_without_its_grace(
            hosts in 1usize..12,
            grace in 4u64..40,
            cuts in prop::collection::vec((prop::collection::vec(any::<bool>(), 12), 1u64..60), 1..12),
        ) {
            let mut it = Watching { now: 100, calm_since: 100, last: vec![100; hosts], lost: vec![None; hosts] };
            for (up, lasts) in cuts {
                for _ in 0..lasts {
                    it.now += 1;
                    for n in (0..hosts).filter(|n| up[*n]) {
                        it.last[n] = it.now;
                    }
                    let (heard, fleet) = it.look(seconds(grace));
                    let unheard = heard.iter().filter(|host| host.unheard >= SILENCE).count();
                    prop_assert_eq!(fleet.doubt.is_some(), unheard > (hosts / 3).max(1));
                    prop_assert!(fleet.doubt.is_none() || fleet.lost.is_empty());
                    prop_assert!(fleet.silent.len() <= (hosts / 3).max(1), "{:?}", fleet);
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
    }
}

//! Which hosts are silent and which are lost, from how long ago each was heard of. One that is silent may come back any
//! moment; what is lost is decided once. Who hears of too few hosts takes itself for the one that is cut off, unless all that are
//! missing are of one zone, and two others speak for it: zones that are heard of, or one and load balancers.

use std::cmp::Reverse;
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
pub struct Heard<'a> {
    /// Which one.
    pub host: HostId,
    /// Where it is; nothing for the agent in this server, which is heard of whatever is cut off.
    pub zone: Option<&'a str>,
    /// How long ago it was heard of; since this server knows of it, if never.
    pub unheard: Duration,
    /// How long ago it was declared lost, if it is.
    pub lost: Option<Duration>,
    /// Whether load balancers have had an answer from it since it is unheard of, if they know; from one that is lost they have none.
    pub answers: Option<bool>,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Hosts to which no request goes for now.
    pub silent: BTreeSet<HostId>,
    /// Hosts to be declared lost.
    pub lost: Vec<HostId>,
    /// Hosts that nothing is heard of, whatever follows from it.
    pub unheard: BTreeSet<HostId>,
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
pub fn judge(hosts: &[Heard<'_>], calm: Duration, grace: Duration) -> Fleet {
    let grace = grace.max(SILENCE);
    let counts = |heard: &&Heard<'_>| heard.lost.is_none_or(|ago| ago < REMEMBERED);
    let known: Vec<&Heard<'_>> = hosts.iter().filter(counts).collect();
    let mut unheard: Vec<&Heard<'_>> =
        known.iter().copied().filter(|heard| heard.unheard >= SILENCE).collect();
    unheard.sort_unstable_by_key(|heard| Reverse(heard.unheard));
    let present = || hosts.iter().filter(|heard| heard.lost.is_none());
    let unanswering: BTreeSet<&str> =
        unheard.iter().filter_map(|heard| heard.zone).filter(|zone| is_unanswering(zone, &unheard)).collect();
    // The more are unheard of, the more doubtful it is.
    let counted: Vec<usize> = (1..=unheard.len()).collect();
    let beyond_doubt = counted.partition_point(|count| is_failure(&known, &unheard[..*count], &unanswering));
    let all_unheard = unheard.iter().map(|heard| heard.host).collect();
    if let Some(tipping) = unheard.get(beyond_doubt) {
        // Those that were out before the others fell silent are not brought back by that.
        let before = tipping.unheard + SILENCE;
        return Fleet {
            silent: present().filter(|heard| heard.unheard >= before).map(|heard| heard.host).collect(),
            lost: Vec::new(),
            unheard: all_unheard,
            doubt: Some(Doubt { unheard: unheard.len(), of: known.len() }),
            next: None,
        };
    }
    let held = |heard: &Heard<'_>| heard.unheard.min(calm);
    let is_lost = |heard: &&Heard<'_>| held(heard) >= grace;
    let is_silent = |heard: &&Heard<'_>| held(heard) >= SILENCE;
    let until = |heard: &Heard<'_>| if held(heard) < SILENCE { SILENCE } else { grace } - held(heard);
    Fleet {
        silent: present().filter(is_silent).map(|heard| heard.host).collect(),
        lost: present().filter(is_lost).map(|heard| heard.host).collect(),
        unheard: all_unheard,
        doubt: None,
        next: present().filter(|heard| !is_lost(heard)).map(until).min(),
    }
}

/// Tells whether load balancers, too, get no answer from what is unheard of in a zone.
fn is_unanswering(zone: &str, unheard: &[&Heard<'_>]) -> bool {
    let of_it = || unheard.iter().filter(|heard| heard.zone == Some(zone));
    let mut undecided = of_it().filter(|heard| heard.lost.is_none()).peekable();
    match undecided.peek() {
        Some(_) => {
            let answers: BTreeSet<bool> = undecided.filter_map(|heard| heard.answers).collect();
            answers == BTreeSet::from([false])
        }
        None => of_it().all(|heard| heard.answers == Some(false)),
    }
}

/// Tells whether that these are unheard of means that they failed: they are as few as fail at once, or so few are beside those of
/// one zone. Who hears of two other zones is not cut off, and neither is who hears of one, if load balancers miss that zone as well.
fn is_failure(known: &[&Heard<'_>], unheard: &[&Heard<'_>], unanswering: &BTreeSet<&str>) -> bool {
    if unheard.len() <= (known.len() / 3).max(1) {
        return true;
    }
    let zones: BTreeSet<&str> = unheard.iter().filter_map(|heard| heard.zone).collect();
    let missing: BTreeSet<HostId> = unheard.iter().map(|heard| heard.host).collect();
    zones.into_iter().any(|zone| {
        let elsewhere = || known.iter().filter(|heard| heard.zone.is_some_and(|other| other != zone));
        let (gone, there): (Vec<&Heard<'_>>, Vec<_>) =
            elsewhere().copied().partition(|heard| missing.contains(&heard.host));
        let witnesses: BTreeSet<&str> = there.iter().filter_map(|heard| heard.zone).collect();
        let needed = if unanswering.contains(zone) { 1 } else { 2 };
        witnesses.len() >= needed && gone.len() <= (gone.len() + there.len()) / 3
    })
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LONG: Duration = Duration::from_secs(86_400);

    pub(super) fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    pub(super) fn heard(ages: &[u64]) -> Vec<Heard<'static>> {
        let zones: Vec<_> = ages.iter().map(|ago| ("a", *ago)).collect();
        heard_in(&zones)
    }

    fn heard_in(hosts: &[(&'static str, u64)]) -> Vec<Heard<'static>> {
        let one = |(n, (zone, ago)): (u128, &(&'static str, u64))| Heard {
            host: id(n),
            zone: Some(*zone),
            unheard: seconds(*ago),
            lost: None,
            answers: None,
        };
        (1u128..).zip(hosts).map(one).collect()
    }

    pub(super) fn id(n: u128) -> HostId {
        HostId(Uuid::from_u128(n))
    }

    #[test]
    fn a_host_is_silent_after_four_seconds_and_lost_after_the_grace() {
        let judged = |age| judge(&heard(&[0, 1, age]), LONG, GRACE);
        assert_eq!(judged(3), Fleet { next: Some(seconds(1)), ..Fleet::default() });
        let (silent, unheard) = ([id(3)].into(), [id(3)].into());
        assert_eq!(judged(4), Fleet { silent, unheard, next: Some(seconds(3)), ..Fleet::default() });
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
    fn a_zone_that_is_cut_off_is_lost_however_many_hosts_it_has_if_two_others_are_heard_of() {
        let most = [("c", 30), ("c", 30), ("c", 31), ("a", 0), ("b", 1)];
        assert_eq!(judge(&heard_in(&most), LONG, GRACE).lost, [id(1), id(2), id(3)]);
        // Whoever is cut off with a zone hears of that one alone.
        let two = [("c", 30), ("c", 30), ("a", 0), ("a", 1)];
        assert!(judge(&heard_in(&two), LONG, GRACE).doubt.is_some());
        let mut own = heard_in(&[("c", 30), ("c", 30), ("a", 0), ("b", 0)]);
        own[3].zone = None;
        assert!(judge(&own, LONG, GRACE).doubt.is_some(), "the agent in a server is no witness");
        let more = [("c", 30), ("c", 30), ("b", 30), ("b", 0), ("a", 0), ("d", 0)];
        assert!(judge(&heard_in(&more), LONG, GRACE).doubt.is_none(), "one of four beside that zone");
        let more = [("c", 30), ("c", 30), ("b", 30), ("a", 0), ("d", 0)];
        assert!(judge(&heard_in(&more), LONG, GRACE).doubt.is_none());
        let more = [("c", 30), ("c", 30), ("b", 30), ("a", 0)];
        assert!(judge(&heard_in(&more), LONG, GRACE).doubt.is_some());
    }

    #[test]
    fn one_of_two_zones_is_lost_if_load_balancers_miss_it_too() {
        let with = |answers: [Option<bool>; 4]| {
            let mut hosts = heard_in(&[("b", 30), ("b", 31), ("a", 0), ("a", 1)]);
            hosts.iter_mut().zip(answers).for_each(|(host, answers)| host.answers = answers);
            hosts
        };
        let judged = |hosts: &[Heard<'_>]| judge(hosts, LONG, GRACE);
        let missed = judged(&with([Some(false), None, None, None]));
        assert_eq!((missed.lost, missed.doubt), (vec![id(1), id(2)], None));
        for contradicted in
            [[Some(false), Some(true), None, None], [None; 4], [None, None, Some(false), None]]
        {
            assert!(judged(&with(contradicted)).doubt.is_some(), "{contradicted:?}");
        }
        let mut all = with([Some(false); 4]);
        (all[2].unheard, all[3].unheard) = (seconds(30), seconds(30));
        assert!(judged(&all).doubt.is_some(), "no other zone is heard of");
        // What was decided is not doubted again, though balancers know nothing of what is lost.
        let mut lost = with([Some(false), Some(false), None, None]);
        lost[..2].iter_mut().for_each(|host| host.lost = Some(seconds(60)));
        assert_eq!(judged(&lost).doubt, None);
        lost[1] = Heard { lost: None, answers: None, ..lost[1] };
        assert!(judged(&lost).doubt.is_some(), "of one of them nobody says anything");
        lost[2].unheard = seconds(30);
        assert!(judged(&lost).doubt.is_some());
    }

    #[test]
    fn a_zone_that_was_out_stays_out_when_there_is_doubt_about_the_others() {
        let hosts = [("c", 40), ("c", 40), ("c", 40), ("a", 5), ("b", 0), ("b", 0)];
        let fleet = judge(&heard_in(&hosts), LONG, GRACE);
        assert_eq!((fleet.silent, fleet.lost), ([id(1), id(2), id(3)].into(), Vec::new()));
        assert!(fleet.doubt.is_some());
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
        let unheard = [id(3)].into();
        let expected = Fleet { unheard, next: Some(seconds(2)), ..Fleet::default() };
        assert_eq!(judge(&hosts, seconds(2), GRACE), expected);
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
}

//! What it means when the cloud gives no instance: whether the same launch is asked for again, and which pools are left
//! alone for a while.

use jiff::{SignedDuration, Timestamp};

use super::pool::{Lack, Pool, Scope};

/// Why there was no instance, in whatever words the cloud said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// None is left in this pool just now.
    NoCapacity,
    /// The zone does not have this type.
    NotOffered,
    /// The account may have no more of this type.
    Limit,
    /// The account may have no more spot instances.
    SpotLimit,
    /// The subnet has no address left.
    NoAddress,
    /// Too many calls.
    Throttled,
    /// The platform may not do this.
    Forbidden,
    /// The platform's credentials have expired, or its clock is wrong.
    Expired,
    /// The launch was asked for before in other words.
    Mismatch,
    /// What was asked for makes no sense to the cloud.
    Invalid,
    /// There was no answer, or none that says whether it was done.
    Unanswered,
}

/// What follows from a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// The cloud said for sure that nothing came of the order. Otherwise it is made again.
    pub over: bool,
    /// What is remembered.
    pub lack: Option<Lack>,
}

/// Judges a refusal. `attempts` is how often the order was made before, each time of which may have been done without our
/// hearing of it; `says` are the cloud's words.
#[must_use]
pub fn consequence(refusal: Refusal, pool: &Pool, attempts: u32, says: &str, now: Timestamp) -> Consequence {
    let lack = |of: Scope, minutes: i64, reason: String| {
        Some(Lack { of, reason, until: now + SignedDuration::from_mins(minutes) })
    };
    let this = || Scope::Pool(pool.clone());
    let lack = match refusal {
        Refusal::NoCapacity => lack(this(), 5, format!("{pool} has no capacity left")),
        Refusal::NotOffered => lack(this(), 6 * 60, format!("{pool} is not offered")),
        Refusal::Limit => {
            let of = Scope::Type { instance_type: pool.instance_type.clone(), lifecycle: pool.lifecycle };
            lack(of, 10, format!("the account may have no more {} ({})", pool.instance_type, pool.lifecycle))
        }
        Refusal::SpotLimit => lack(
            Scope::Lifecycle(pool.lifecycle),
            10,
            "the account may have no more spot instances".to_owned(),
        ),
        Refusal::NoAddress => lack(
            Scope::Zone(pool.zone.clone()),
            10,
            format!("the subnet in {} has no address left", pool.zone),
        ),
        Refusal::Forbidden => {
            lack(Scope::Everywhere, 5, format!("the platform may not start instances: {says}"))
        }
        Refusal::Invalid => lack(this(), 5, format!("the order of {pool} is not understood: {says}")),
        Refusal::Mismatch | Refusal::Throttled | Refusal::Expired | Refusal::Unanswered => None,
    };
    // An order that was done before is answered with what came of it, unless it is refused before anybody looks that up.
    let certain = match refusal {
        Refusal::NoCapacity | Refusal::NotOffered | Refusal::NoAddress => true,
        Refusal::Limit | Refusal::SpotLimit | Refusal::Forbidden | Refusal::Invalid => attempts == 0,
        Refusal::Mismatch | Refusal::Throttled | Refusal::Expired | Refusal::Unanswered => false,
    };
    Consequence { over: certain, lack }
}

/// Returns how long to wait before an order is made again that was made so often: from two seconds up to a minute.
#[must_use]
pub fn pause(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs((2i64 << attempts.min(5)).min(60))
}

/// Returns when an order was last made, of which it is known how often it was and when it may be made again.
#[must_use]
pub fn asked_at(attempts: u32, ask_at: Timestamp) -> Option<Timestamp> {
    Some(ask_at - pause(attempts.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::Lifecycle;

    fn pool(zone: &str, lifecycle: Lifecycle) -> Pool {
        Pool { zone: zone.to_owned(), instance_type: "m7g.large".to_owned(), lifecycle }
    }

    fn judge(refusal: Refusal, attempts: u32) -> Consequence {
        consequence(refusal, &pool("a", Lifecycle::Spot), attempts, "no", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_lack_is_remembered_for_what_it_is_about() {
        let covers = |refusal, zone: &str, lifecycle| {
            judge(refusal, 1).lack.unwrap().covers(&pool(zone, lifecycle), Timestamp::UNIX_EPOCH)
        };
        use Lifecycle::{OnDemand, Spot};
        for (refusal, other_zone, on_demand) in [
            (Refusal::NoCapacity, false, false),
            (Refusal::Limit, true, false),
            (Refusal::SpotLimit, true, false),
            (Refusal::NoAddress, false, true),
            (Refusal::Forbidden, true, true),
        ] {
            assert!(covers(refusal, "a", Spot), "{refusal:?}");
            assert_eq!(
                (covers(refusal, "b", Spot), covers(refusal, "a", OnDemand)),
                (other_zone, on_demand),
                "{refusal:?}"
            );
        }
        let lack = judge(Refusal::NoCapacity, 1).lack.unwrap();
        assert!(!lack.covers(&pool("a", Spot), Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5)));
    }

    #[test]
    fn what_may_have_been_done_is_ordered_again_and_ever_more_seldom() {
        for refusal in [Refusal::Throttled, Refusal::Expired, Refusal::Unanswered, Refusal::Mismatch] {
            assert_eq!(judge(refusal, 0), Consequence { over: false, lack: None }, "{refusal:?}");
        }
        for attempts in 0..9 {
            let ask_at = Timestamp::UNIX_EPOCH + pause(attempts);
            assert_eq!(asked_at(attempts + 1, ask_at), Some(Timestamp::UNIX_EPOCH));
        }
        assert_eq!(asked_at(0, Timestamp::UNIX_EPOCH), None);
        assert!(judge(Refusal::Forbidden, 0).over);
        assert!(!judge(Refusal::Forbidden, 1).over, "the first attempt may have been done");
        assert_eq!([0, 1, 3, 9].map(|attempts| pause(attempts).as_secs()), [2, 4, 16, 60]);
    }
}

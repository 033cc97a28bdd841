//! Failed sign-ins: how many a client, and an account, may make before they are told to wait. Only failures are counted:
//! who has a token that works is let in whatever others did in their name or from their address. A secret has 256 random
//! bits and is looked up by its hash, so that this bounds load and noise; guessing is hopeless without it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most clients and accounts that are remembered, about 2 MB of them; the rest share one budget.
const REMEMBERED_MAX: usize = 10_000;

/// Longest part of an account's name that counts.
const NAME_MAX: usize = 100;

/// How many failures there may be at once, and how fast they are forgiven.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// At once.
    pub failures: u32,
    /// How long it takes until one is forgiven.
    pub forgiven_after: Duration,
}

impl Budget {
    /// One client: 30 at once, then one each 2 s.
    pub const CLIENT: Self = Self { failures: 30, forgiven_after: Duration::from_secs(2) };
    /// One account, from wherever: 100 at once, then one each second.
    pub const ACCOUNT: Self = Self { failures: 100, forgiven_after: Duration::from_secs(1) };
}

/// Whose failures are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Client(IpAddr),
    Account(String),
    Others,
}

/// The failures of all.
#[derive(Debug)]
pub struct Attempts {
    client: Budget,
    account: Budget,
    /// When what was used of each budget is forgiven.
    spent: Mutex<HashMap<Key, Instant>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new(Budget::CLIENT, Budget::ACCOUNT)
    }
}

impl Attempts {
    /// Counts with these budgets.
    #[must_use]
    pub fn new(client: Budget, account: Budget) -> Self {
        Self { client, account, spent: Mutex::default() }
    }

    /// Notes a failed sign-in. Returns how long the client is to wait, if one of the budgets is used up.
    pub fn failed(&self, client: Option<IpAddr>, account: Option<&str>) -> Option<Duration> {
        self.failed_at(Instant::now(), client, account)
    }

    /// Returns how long the client is to wait before a secret that could be guessed is looked at, if one of the budgets is
    /// used up. Who has a token gets in all the same.
    pub fn must_wait(&self, client: Option<IpAddr>, account: Option<&str>) -> Option<Duration> {
        let now = Instant::now();
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |(key, budget): (Key, Budget)| after(&spent, now, &key, budget).err();
        self.budgets(client, account).filter_map(wait).max()
    }

    /// Returns the budgets that count for a client and an account.
    fn budgets(&self, client: Option<IpAddr>, account: Option<&str>) -> impl Iterator<Item = (Key, Budget)> {
        let client = client.map(|address| (Key::Client(network(address)), self.client));
        let account = account.filter(|name| !name.is_empty());
        let account = account.map(|name| (Key::Account(name.chars().take(NAME_MAX).collect()), self.account));
        client.into_iter().chain(account)
    }

    fn failed_at(&self, now: Instant, client: Option<IpAddr>, account: Option<&str>) -> Option<Duration> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        // The client's comes first: who has none left takes nothing from the account's, which is somebody else's.
        self.budgets(client, account).find_map(|(key, budget)| spend(&mut spent, now, key, budget))
    }
}

/// Takes one failure from a budget, or returns how long it takes until there is one again.
fn spend(spent: &mut HashMap<Key, Instant>, now: Instant, key: Key, budget: Budget) -> Option<Duration> {
    if spent.len() >= REMEMBERED_MAX && !spent.contains_key(&key) {
        spent.retain(|_, forgiven| *forgiven > now);
    }
    let key = if spent.len() >= REMEMBERED_MAX && !spent.contains_key(&key) { Key::Others } else { key };
    match after(spent, now, &key, budget) {
        Ok(after) => {
            spent.insert(key, after);
            None
        }
        Err(wait) => Some(wait),
    }
}

/// Returns until when one more failure would be remembered, or how long it takes until there may be one.
fn after(
    spent: &HashMap<Key, Instant>,
    now: Instant,
    key: &Key,
    budget: Budget,
) -> Result<Instant, Duration> {
    let forgiven = spent.get(key).copied().unwrap_or(now).max(now);
    let after = forgiven + budget.forgiven_after;
    let full = now + budget.forgiven_after * budget.failures;
    if after > full { Err(after - full) } else { Ok(after) }
}

/// Somebody with IPv6 has a network of addresses to come from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Budget = Budget { failures: 3, forgiven_after: Duration::from_secs(10) };
    const MANY: Budget = Budget { failures: 1_000_000, forgiven_after: Duration::from_millis(1) };

    #[test]
    fn a_client_waits_after_its_failures_and_others_do_not() {
        let attempts = Attempts::new(FEW, MANY);
        let (now, one) = (Instant::now(), Some(IpAddr::from([192, 0, 2, 1])));
        for _ in 0..3 {
            assert_eq!(attempts.failed_at(now, one, None), None);
        }
        assert_eq!(attempts.failed_at(now, one, None), Some(Duration::from_secs(10)));
        assert_eq!(attempts.failed_at(now, Some(IpAddr::from([192, 0, 2, 2])), None), None);
        let later = now + Duration::from_secs(10);
        assert_eq!(attempts.failed_at(later, one, None), None, "one is forgiven");
        assert!(attempts.failed_at(later, one, None).is_some(), "and only one");
    }

    #[test]
    fn a_client_with_no_failures_left_takes_none_from_an_account() {
        let attempts = Attempts::new(FEW, Budget { failures: 4, ..FEW });
        let (now, one, other) = (Instant::now(), Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        for _ in 0..20 {
            attempts.failed_at(now, one, Some("ann"));
        }
        assert_eq!(attempts.failed_at(now, other, Some("ann")), None);
        assert!(attempts.failed_at(now, other, Some("ann")).is_some());
    }

    #[test]
    fn who_must_wait_spends_nothing_by_asking() {
        let attempts = Attempts::new(FEW, MANY);
        let one = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..3 {
            assert_eq!(attempts.must_wait(one, Some("ann")), None);
            assert_eq!(attempts.failed(one, Some("ann")), None);
        }
        assert!(attempts.must_wait(one, None).is_some());
        assert_eq!(attempts.must_wait(None, Some("ann")), None);
    }

    #[test]
    fn an_account_is_counted_from_wherever_and_a_network_as_one() {
        let attempts = Attempts::new(MANY, FEW);
        let now = Instant::now();
        for last in 0..3 {
            assert_eq!(attempts.failed_at(now, Some(IpAddr::from([192, 0, 2, last])), Some("ann")), None);
        }
        assert!(attempts.failed_at(now, Some(IpAddr::from([192, 0, 2, 9])), Some("ann")).is_some());
        assert_eq!(attempts.failed_at(now, None, Some("bob")), None);
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn who_is_remembered_is_bounded_and_the_rest_share() {
        let attempts = Attempts::new(FEW, MANY);
        let now = Instant::now();
        for number in 0..20_000_u32 {
            let _ = attempts.failed_at(now, Some(IpAddr::from(number.to_be_bytes())), None);
        }
        assert!(attempts.spent.lock().unwrap().len() <= REMEMBERED_MAX + 1);
        assert!(attempts.failed_at(now, Some(IpAddr::from([9, 9, 9, 9])), None).is_some());
        let later = now + Duration::from_secs(60);
        assert_eq!(attempts.failed_at(later, Some(IpAddr::from([9, 9, 9, 9])), None), None);
        assert!(attempts.spent.lock().unwrap().len() < 10, "what is forgiven is forgotten");
    }
}

//! What becomes of each launch, in one word, and what is told to those whose replicas wait for one.

use jiff::Timestamp;
use model::id::{HostId, LaunchId};
use model::instances::{Alarm, Cause, Wish};
use store::{Db, Launch};

/// What an instance is doing.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    /// The launch as it is written down.
    pub(crate) launch: Launch,
}

impl Doing {
    /// Returns it in one word.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match (self.launch.wish, self.launch.host, &self.launch.instance) {
            (Some(Wish::Drain { .. }), _, _) => "draining",
            (Some(Wish::End { .. }) | None, _, _) => "ending",
            (Some(Wish::Run), Some(_), _) => "joined",
            (Some(Wish::Run), None, Some(_)) => "booting",
            (Some(Wish::Run), None, None) => "asked",
        }
    }

    /// Returns why, as a sentence, where that is not plain.
    #[must_use]
    pub(crate) fn reason(&self) -> Option<String> {
        match self.launch.wish.and_then(Wish::cause) {
            Some(cause) => Some(because(cause).to_owned()),
            None if self.word() == "asked" && self.launch.attempts > 1 => {
                Some(format!("the cloud was asked {} times and has not said yes or no", self.launch.attempts))
            }
            None => None,
        }
    }

    /// Returns since when.
    #[must_use]
    pub(crate) fn since(&self) -> Timestamp {
        match self.launch.wish {
            Some(Wish::Drain { since, .. } | Wish::End { since, .. }) => since,
            _ => self.launch.decided_at,
        }
    }

    /// Returns what people call it: the instance, or its order as long as that is none.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        let order = |id: LaunchId| format!("launch-{id}");
        self.launch.instance.as_ref().map_or_else(|| order(self.launch.id), ToString::to_string)
    }

    /// Returns the host that it became.
    #[must_use]
    pub(crate) fn host(&self) -> Option<HostId> {
        self.launch.host
    }

    /// Tells whether nothing is waited for.
    #[must_use]
    pub(super) fn is_settled(&self) -> bool {
        self.word() == "joined"
    }
}

fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::Surplus => "fewer hosts suffice",
        Cause::Reclaimed => "the cloud takes it back",
        Cause::AtRisk => "the cloud may take it back soon, and another takes its place",
        Cause::Stale => {
            "its image is an older one or its machine is due for maintenance, and another takes its place"
        }
        Cause::Lost => "its host was lost",
        Cause::Dead => "it does not run",
        Cause::NeverJoined => "no host joined from it in time",
        Cause::Failed => "it ended before a host joined from it",
        Cause::Stopped => "it was stopped, and not by the platform",
        Cause::Removed => "its host was removed by hand",
        Cause::Refused => "the cloud gave none",
        Cause::Vanished => "it ended, and not because of the platform",
    }
}

/// Returns all launches that are not over.
pub(crate) async fn list(db: &mut Db) -> store::Result<Vec<Doing>> {
    Ok(store::list_launches(db).await?.into_iter().map(|launch| Doing { launch }).collect())
}

/// Returns what a replica without a place waits for, as the end of a sentence.
pub(super) fn told(doing: &[Doing], alarms: &[Alarm]) -> String {
    let coming = |word| doing.iter().filter(|one| one.word() == word).count();
    let (asked, booting) = (coming("asked"), coming("booting"));
    let why = alarms.first().map(|alarm| alarm.says.as_str());
    match (asked, booting, why) {
        (0, 0, Some(why)) => format!("waits for an instance, of which none comes: {why}"),
        (0, 0, None) => "waits for an instance".to_owned(),
        (n, 0, _) => format!("waits for an instance: {} asked for", are(n)),
        (0, n, _) => format!("waits for an instance: {} booting", are(n)),
        (n, m, _) => format!("waits for an instance: {} asked for, {} booting", are(n), are(m)),
    }
}

fn are(n: usize) -> String {
    if n == 1 { "1 is".to_owned() } else { format!("{n} are") }
}

#[cfg(test)]
mod tests {
    use model::instances::{Lifecycle, Pool};

    use super::*;

    fn doing(instance: Option<&str>, host: Option<HostId>, wish: Wish) -> Doing {
        let pool = Pool {
            zone: "a".to_owned(),
            instance_type: "t3.medium".to_owned(),
            lifecycle: Lifecycle::OnDemand,
        };
        let launch = Launch {
            id: LaunchId::new(),
            pool,
            image: "ami-1".to_owned(),
            sealed_user_data: String::new(),
            decided_at: Timestamp::UNIX_EPOCH,
            attempts: 3,
            ask_at: Timestamp::UNIX_EPOCH,
            instance: instance.map(|id| id.parse().unwrap()),
            shown_at: None,
            wish: Some(wish),
            host,
        };
        Doing { launch }
    }

    #[test]
    fn an_instance_is_asked_for_boots_joins_drains_and_ends() {
        let (id, host, since) = (Some("i-1"), Some(HostId::new()), Timestamp::UNIX_EPOCH);
        let cause = Cause::Surplus;
        let lives = [
            doing(None, None, Wish::Run),
            doing(id, None, Wish::Run),
            doing(id, host, Wish::Run),
            doing(id, host, Wish::Drain { since, cause }),
            doing(id, host, Wish::End { since, cause }),
        ];
        let words: Vec<_> = lives.iter().map(Doing::word).collect();
        assert_eq!(words, ["asked", "booting", "joined", "draining", "ending"]);
        assert_eq!(lives[0].reason().unwrap(), "the cloud was asked 3 times and has not said yes or no");
        assert_eq!(lives[4].reason().unwrap(), "fewer hosts suffice");
        assert_eq!((lives[1].reason(), lives[1].name()), (None, "i-1".to_owned()));
    }

    #[test]
    fn a_replica_without_a_place_is_told_what_comes_or_why_nothing_does() {
        let alarm = |says: &str| Alarm { about: "x".to_owned(), says: says.to_owned() };
        let (asked, booting) = (doing(None, None, Wish::Run), doing(Some("i-1"), None, Wish::Run));
        let full = [alarm("every zone has as many instances as it may")];
        assert_eq!(told(&[], &[]), "waits for an instance");
        assert_eq!(
            told(&[asked.clone(), booting.clone(), booting.clone()], &full),
            "waits for an instance: 1 is asked for, 2 are booting"
        );
        assert_eq!(told(&[booting], &[]), "waits for an instance: 1 is booting");
        assert_eq!(
            told(&[], &full),
            "waits for an instance, of which none comes: every zone has as many instances as it may"
        );
    }
}

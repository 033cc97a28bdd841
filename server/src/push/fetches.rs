//! How many clones and fetches are served at once. Each is a process of git's with memory and processor time of the server's, which
//! nothing else bounds; whoever may look at one app could take all of both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::id::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// At once in all.
const ALL: usize = 32;

/// At once for one user, so that one who reads slowly keeps nobody else from theirs.
const OF_ONE: usize = 8;

/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(20);

/// The fetches that are under way.
#[derive(Debug)]
pub struct Fetches {
    all: Arc<Semaphore>,
    users: Mutex<BTreeMap<UserId, Arc<Semaphore>>>,
    wait: Duration,
}

/// A fetch that is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _of_user: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL)), users: Mutex::default(), wait: WAIT }
    }
}

impl Fetches {
    /// Waits for a user's turn; nothing if it does not come in time.
    pub(super) async fn turn(&self, user: UserId) -> Option<Turn> {
        let turn = async {
            let of_user = self.of(user).acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { _of_user: of_user, _of_all: of_all })
        };
        timeout(self.wait, turn).await.ok().flatten()
    }

    fn of(&self, user: UserId) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has one, or waits for one, holds it too.
        users.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(users.entry(user).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impatient() -> Fetches {
        Fetches { wait: Duration::from_millis(10), ..Fetches::default() }
    }

    #[tokio::test]
    async fn one_who_takes_all_they_may_waits_and_nobody_else_does() {
        let (fetches, ann, bob) = (impatient(), UserId::new(), UserId::new());
        let mut anns = Vec::new();
        for _ in 0..OF_ONE {
            anns.push(fetches.turn(ann).await.unwrap());
        }
        assert!(fetches.turn(ann).await.is_none());
        assert!(fetches.turn(bob).await.is_some());
        anns.pop();
        assert!(fetches.turn(ann).await.is_some());
        drop(anns);
        fetches.turn(bob).await.unwrap();
        assert_eq!(fetches.users.lock().unwrap().len(), 1, "who has none is forgotten");
    }

    #[tokio::test]
    async fn all_together_have_so_many_and_no_more() {
        let fetches = impatient();
        let users: Vec<UserId> = (0..ALL / OF_ONE).map(|_| UserId::new()).collect();
        let mut turns = Vec::new();
        for user in users.iter().flat_map(|user| [*user; OF_ONE]) {
            turns.push(fetches.turn(user).await.unwrap());
        }
        assert!(fetches.turn(UserId::new()).await.is_none());
    }
}

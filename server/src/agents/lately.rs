//! What a server remembers of instances for moments: what the cloud listed, so that machines that boot together are looked for
//! together, however long its answer takes, and what people were told, so that they are not told the same all the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cloud::{Cloud, Listed, Site};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use model::instances::InstanceId;
use tokio::time::timeout;

/// How long a list counts.
const FRESH: Duration = Duration::from_secs(2);

/// How long the cloud may take while a machine waits for its answer.
const ASK: Duration = Duration::from_secs(8);

/// How often the same is told at most.
const TELL: Duration = Duration::from_secs(10 * 60);

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    /// An instance of ours is not as it was ordered.
    Refused,
    /// One that has joined asks again with another key.
    Again,
}

/// What the cloud lists, and when it did. It is asked for once for all who wait, and goes on when they have given up: were it begun
/// anew for each, a slow cloud would have ever more to do.
type Listing = Shared<BoxFuture<'static, Result<(Instant, Arc<Vec<Listed>>), String>>>;

/// What was listed and told.
#[derive(Default)]
pub(super) struct Lately {
    listing: Mutex<Option<Listing>>,
    /// Only instances of our account are in it.
    told: Mutex<BTreeMap<(InstanceId, Matter), Instant>>,
}

impl Lately {
    /// Returns what the cloud says of an instance, if it shows it.
    ///
    /// # Errors
    /// Why it does not say, as a sentence.
    pub(super) async fn shown(
        &self,
        cloud: &Arc<dyn Cloud>,
        id: &InstanceId,
    ) -> Result<Option<Listed>, String> {
        let listed = timeout(ASK, self.listed(cloud)).await.map_err(|_| no_answer())??;
        Ok(listed.iter().find(|one| one.id == *id).cloned())
    }

    async fn listed(&self, cloud: &Arc<dyn Cloud>) -> Result<Arc<Vec<Listed>>, String> {
        loop {
            let (at, listed) = self.listing(cloud).await?;
            // Nobody may have waited for it when it came.
            if at.elapsed() < FRESH {
                return Ok(listed);
            }
        }
    }

    /// Returns the list that is under way, or has just come, or else another one.
    fn listing(&self, cloud: &Arc<dyn Cloud>) -> Listing {
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let serves = |listing: &&Listing| match listing.peek() {
            None => true,
            Some(answer) => answer.as_ref().is_ok_and(|(at, _)| at.elapsed() < FRESH),
        };
        if let Some(present) = listing.as_ref().filter(serves) {
            return present.clone();
        }
        let cloud = Arc::clone(cloud);
        let asking = tokio::spawn(async move {
            let listed = cloud.list().await?;
            Ok((Instant::now(), Arc::new(listed)))
        });
        let answer = async { asking.await.unwrap_or_else(|error| Err(error.to_string())) };
        listing.insert(answer.boxed().shared()).clone()
    }

    /// Tells whether people are to be told this; then they have been.
    pub(super) fn is_to_be_told(&self, id: &InstanceId, matter: Matter) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < TELL);
        let about = (id.clone(), matter);
        let is_new = !told.contains_key(&about);
        told.entry(about).or_insert_with(Instant::now);
        is_new
    }
}

/// Returns where our instances are.
///
/// # Errors
/// Why the cloud does not say, as a sentence.
pub(super) async fn site(cloud: &dyn Cloud) -> Result<Site, String> {
    timeout(ASK, cloud.site()).await.map_err(|_| no_answer())?
}

fn no_answer() -> String {
    format!("the cloud did not answer within {} s", ASK.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use async_trait::async_trait;
    use cloud::{Order, Refused};
    use model::instances::State;
    use tokio::sync::Semaphore;

    use super::*;

    /// A cloud that lists one instance when it is let.
    struct Slow {
        asked: AtomicUsize,
        lets: Semaphore,
    }

    #[async_trait]
    impl Cloud for Slow {
        async fn site(&self) -> Result<Site, String> {
            Err("nobody asks".to_owned())
        }

        async fn list(&self) -> Result<Vec<Listed>, String> {
            self.asked.fetch_add(1, SeqCst);
            self.lets.acquire().await.unwrap().forget();
            Ok(vec![Listed {
                id: "i-1".parse().unwrap(),
                launch: None,
                state: State::Running,
                notice: false,
                says: None,
                private_ip: None,
                image: "ami-1".to_owned(),
            }])
        }

        async fn launch(&self, order: &Order) -> Result<InstanceId, Refused> {
            unreachable!("{order:?}")
        }

        async fn terminate(&self, ids: &[InstanceId]) -> Result<(), String> {
            unreachable!("{ids:?}")
        }
    }

    #[tokio::test]
    async fn a_slow_list_is_asked_for_once_and_serves_those_who_come_when_others_have_given_up() {
        let slow = Arc::new(Slow { asked: AtomicUsize::new(0), lets: Semaphore::new(0) });
        let (cloud, lately): (Arc<dyn Cloud>, _) = (slow.clone(), Lately::default());
        let (here, elsewhere) = ("i-1".parse().unwrap(), "i-2".parse().unwrap());
        assert!(lately.shown(&cloud, &here).now_or_never().is_none());
        assert!(lately.shown(&cloud, &here).now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(slow.asked.load(SeqCst), 1);
        slow.lets.add_permits(100);
        assert!(lately.shown(&cloud, &here).await.unwrap().is_some());
        assert!(lately.shown(&cloud, &elsewhere).await.unwrap().is_none());
    }
}

//! A cloud that exists in memory only. Calls fail in it as they are told to, in an order that is given beforehand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cloud::{Cloud, Listed, Order, Refused, Site};
use jiff::{SignedDuration, Timestamp};
use model::id::LaunchId;
use model::instances::{InstanceId, Pool, Refusal, State};
use tokio::sync::Notify;

const STARTS: SignedDuration = SignedDuration::from_secs(20);

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing is done.
    Throttled,
    /// It is done, and nobody hears of it.
    Unheard,
    /// There is no capacity in that pool.
    NoCapacity,
    /// A list lacks everything.
    Empty,
    /// The caller dies before it is done.
    DiesBefore,
    /// The caller dies after it was done.
    DiesAfter,
}

#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) launch: LaunchId,
    pub(crate) pool: Pool,
    pub(crate) image: String,
    pub(crate) user_data: String,
    pub(crate) born: Timestamp,
    pub(crate) ended: bool,
}

#[derive(Default)]
pub(crate) struct Sky {
    pub(crate) now: Timestamp,
    pub(crate) made: BTreeMap<InstanceId, Made>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) calls: usize,
    /// No order is taken.
    pub(crate) busy: bool,
    /// What is said instead of a list.
    pub(crate) no_list: Option<String>,
    /// What is said instead of ending anything.
    pub(crate) no_end: Option<String>,
    next: u64,
}

/// The handle of one.
#[derive(Clone, Default)]
pub(crate) struct MadeUp {
    pub(crate) sky: Arc<Mutex<Sky>>,
    /// Somebody died in a call.
    pub(crate) died: Arc<Notify>,
}

impl MadeUp {
    fn fault(&self) -> Fault {
        let mut sky = self.sky.lock().unwrap();
        sky.calls += 1;
        sky.faults.pop_front().unwrap_or(Fault::None)
    }

    /// Does something as the next fault has it.
    async fn call<T>(&self, does: impl FnOnce(&mut Sky, Fault) -> T) -> Option<T> {
        let fault = self.fault();
        if fault == Fault::DiesBefore {
            return self.die().await;
        }
        if fault == Fault::Throttled {
            return None;
        }
        let done = does(&mut self.sky.lock().unwrap(), fault);
        match fault {
            Fault::DiesAfter => self.die().await,
            Fault::Unheard => None,
            _ => Some(done),
        }
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Cloud for MadeUp {
    async fn site(&self) -> Result<Site, String> {
        Err("it is nowhere".to_owned())
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        if let Some(says) = self.sky.lock().unwrap().no_list.clone() {
            return Err(says);
        }
        let listed = self.call(|sky, fault| {
            let now = sky.now;
            // What was just made does not show at once.
            let shows = |made: &&Made| fault != Fault::Empty && now.duration_since(made.born) >= STARTS / 2;
            let listed = |(id, made): (&InstanceId, &Made)| Listed {
                id: id.clone(),
                launch: Some(made.launch),
                state: match () {
                    () if made.ended => State::Ended,
                    () if now.duration_since(made.born) < STARTS => State::Pending,
                    () => State::Running,
                },
                notice: false,
                says: None,
                private_ip: None,
                image: made.image.clone(),
            };
            sky.made.iter().filter(|(_, made)| shows(made)).map(listed).collect()
        });
        listed.await.ok_or_else(|| "rate exceeded".to_owned())
    }

    async fn launch(&self, order: &Order) -> Result<InstanceId, Refused> {
        if self.sky.lock().unwrap().busy {
            return Err(Refused { refusal: Refusal::Throttled, says: "rate exceeded".to_owned() });
        }
        let given = self.call(|sky, fault| {
            if let Some((id, made)) = sky.made.iter().find(|(_, made)| made.launch == order.launch) {
                assert_eq!(
                    (&made.pool, &made.image, &made.user_data),
                    (&order.pool, &order.image, &order.user_data)
                );
                return Ok(id.clone());
            }
            if fault == Fault::NoCapacity {
                return Err(Refused { refusal: Refusal::NoCapacity, says: "there is none".to_owned() });
            }
            sky.next += 1;
            let id: InstanceId = format!("i-{:017x}", sky.next).parse().unwrap();
            let made = Made {
                launch: order.launch,
                pool: order.pool.clone(),
                image: order.image.clone(),
                user_data: order.user_data.clone(),
                born: sky.now,
                ended: false,
            };
            sky.made.insert(id.clone(), made);
            Ok(id)
        });
        let lost = || Refused { refusal: Refusal::Unanswered, says: "the connection broke".to_owned() };
        given.await.unwrap_or_else(|| Err(lost()))
    }

    async fn terminate(&self, ids: &[InstanceId]) -> Result<(), String> {
        if let Some(says) = self.sky.lock().unwrap().no_end.clone() {
            return Err(says);
        }
        let ended = self.call(|sky, _| {
            for id in ids {
                sky.made.get_mut(id).unwrap().ended = true;
            }
        });
        ended.await.ok_or_else(|| "rate exceeded".to_owned())
    }
}

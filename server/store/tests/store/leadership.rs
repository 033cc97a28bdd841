//! One server leads: another takes over only from who it saw, and then what the first writes is refused.

use jiff::{SignedDuration, Timestamp};
use store::*;

use crate::database::open;

fn soon() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(5)
}

async fn seen(store: &Store) -> Leadership {
    find_leadership(&mut store.read().await.unwrap()).await.unwrap()
}

async fn take(store: &Store, seen: &Leadership, owner: &str) -> Option<Lead> {
    let mut tx = store.write().await.unwrap();
    let lead = take_lead(&mut tx, seen, (owner, "127.0.0.1:5000"), soon()).await.unwrap();
    tx.commit().await.unwrap();
    lead
}

async fn write(store: &Store, lead: &Lead) -> bool {
    let mut tx = store.write().await.unwrap();
    let held = hold_lead(&mut tx, lead, soon()).await.unwrap();
    tx.commit().await.unwrap();
    held
}

#[tokio::test]
async fn a_leader_that_slept_is_refused_once_another_leads() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()).await, open(dir.path()).await);
    let nobody = seen(&one).await;
    let first = take(&one, &nobody, "one").await.unwrap();
    assert!(
        first.term >= u64::try_from(Timestamp::now().as_second()).unwrap() - 60,
        "greater than in any backup"
    );
    assert_eq!(take(&other, &nobody, "other").await, None, "it has changed since");
    assert!(write(&one, &first).await && one.prolong_lead(&first, soon()).await.unwrap());

    let before = seen(&other).await;
    assert!(one.prolong_lead(&first, before.until + SignedDuration::from_secs(1)).await.unwrap());
    assert_eq!(take(&other, &before, "other").await, None, "it was prolonged since");
    let second = take(&other, &seen(&other).await, "other").await.unwrap();
    assert!(second.term > first.term);
    assert!(!write(&one, &first).await && !one.prolong_lead(&first, soon()).await.unwrap());
    assert!(write(&other, &second).await);

    give_up_lead(&mut one.write().await.unwrap(), &first).await.unwrap();
    assert_ne!(seen(&one).await.until, Timestamp::UNIX_EPOCH, "only its holder gives it up");
    let mut tx = other.write().await.unwrap();
    give_up_lead(&mut tx, &second).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(seen(&one).await.until, Timestamp::UNIX_EPOCH);
}

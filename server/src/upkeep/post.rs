//! The bucket as the place where orders come from, and where it is said what became of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use model::upkeep::{ORDER_KEY, OUTCOME_KEY, Order, Outcome};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _};
use slug::BlobPlace;

/// How long the bucket may take: the server waits for it.
const WITHIN: Duration = Duration::from_secs(20);

/// How long an order may be, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The bucket.
pub(super) struct Post(Arc<dyn ObjectStore>);

impl Post {
    /// Opens it.
    ///
    /// # Errors
    /// The environment does not say how it is reached.
    pub(super) fn open(place: &BlobPlace) -> anyhow::Result<Self> {
        Ok(Self(place.open(std::env::vars())?))
    }

    /// Returns the order that is there.
    ///
    /// # Errors
    /// The bucket does not answer, or what is there is no order.
    pub(super) async fn order(&self) -> anyhow::Result<Option<Order>> {
        let key = Key::from(ORDER_KEY);
        let read = async {
            let found = self.0.get(&key).await?;
            if found.meta.size > LONGEST { Ok(None) } else { found.bytes().await.map(Some) }
        };
        match in_time(read).await? {
            Ok(Some(bytes)) => {
                let order: Order = serde_json::from_slice(&bytes).context("the order makes no sense")?;
                if order.is_plain() { Ok(Some(order)) } else { bail!("the order names no plain files") }
            }
            Ok(None) => bail!("the order is longer than {LONGEST} bytes"),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Says what became of an order, unless it is said already.
    ///
    /// # Errors
    /// The bucket does not take it.
    pub(super) async fn tell(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let (key, text) = (Key::from(OUTCOME_KEY), serde_json::to_vec(outcome)?);
        let said = async { self.0.get(&key).await?.bytes().await };
        if in_time(said).await?.is_ok_and(|said| said == text) {
            return Ok(());
        }
        in_time(self.0.put(&key, text.into())).await?.map(drop).map_err(|error| refused(&error))
    }
}

async fn in_time<T>(
    call: impl Future<Output = Result<T, object_store::Error>>,
) -> anyhow::Result<Result<T, object_store::Error>> {
    let answer = tokio::time::timeout(WITHIN, call).await;
    answer.map_err(|_| anyhow!("the bucket did not answer within {} s", WITHIN.as_secs()))
}

fn refused(error: &object_store::Error) -> anyhow::Error {
    anyhow!("the bucket cannot be used: {}", slug::store_reason(error))
}

//! The database as the loop has it: it writes only while this server leads, in the very transaction in which that is so.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::Ledger;
use store::Transaction;

use crate::platform::Platform;

pub(super) struct Book(pub(super) Arc<Platform>);

#[async_trait]
impl Ledger for Book {
    async fn read(&self) -> store::Result<Transaction> {
        self.0.store.read().await
    }

    async fn write(&self) -> store::Result<Option<Transaction>> {
        self.0.leadership.write(&self.0.store).await
    }
}

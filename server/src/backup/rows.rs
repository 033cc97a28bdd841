//! The database as a backup takes it: one moment of it, row by row, while the collection is held off.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use backup::{Member, Writer};
use jiff::{SignedDuration, Timestamp};
use model::id::AppId;
use model::slug::Digest;
use store::{Store, Transaction};
use tokio::task::JoinHandle;

use crate::options::Options;

/// How long the collection is held off at least, should this process be killed.
const HOLD: SignedDuration = SignedDuration::from_mins(3);

/// How often that is prolonged.
const PROLONG: Duration = Duration::from_secs(30);

/// About how large a piece of a table is that is held in memory.
const PIECE: usize = 4 << 20;

/// The database at one moment.
pub(super) struct Moment {
    db: Transaction,
    /// The newest migration of its tables.
    pub(super) schema: i64,
    /// When that was.
    pub(super) at: Timestamp,
    /// The apps that are not destroyed, by id and name.
    pub(super) apps: Vec<(AppId, String)>,
    /// The images that its slugs need.
    pub(super) images: BTreeSet<Digest>,
}

/// Opens the database that the options name, as it is.
pub(super) async fn look(options: &Options) -> anyhow::Result<Store> {
    Ok(Store::look(&options.dir("paas.db"), options.database_url.as_ref()).await?)
}

impl Moment {
    pub(super) async fn of(store: &Store) -> anyhow::Result<Self> {
        let mut db = store.read_patiently().await?;
        let schema = store::find_schema(&mut db).await.context("this is no database of paasd")?;
        let newest = store::newest_schema();
        if schema > newest {
            return Err(store::Error::Newer { found: schema, known: newest }.into());
        }
        let at = Timestamp::now();
        let apps = store::backed_up_apps(&mut db).await?;
        let images = store::backed_up_images(&mut db, schema).await?;
        Ok(Self { db, schema, at, apps, images })
    }

    /// Writes all rows; the moment is over then. Returns how many there were.
    pub(super) async fn write(mut self, writer: &mut Writer<impl std::io::Write>) -> anyhow::Result<u64> {
        let mut rows = 0;
        for table in store::backed_up_tables_at(self.schema) {
            let mut part = 0;
            let take = |lines: &[u8]| {
                part += 1;
                let member = Member::Rows { table: table.name.to_owned(), part };
                writer.add(&member, lines.len() as u64, lines).map_err(std::io::Error::other)
            };
            rows += store::export_rows(&mut self.db, table, PIECE, take).await?;
        }
        Ok(rows)
    }
}

/// Holds the collection off until it is ended.
pub(super) struct Hold {
    store: Store,
    name: String,
    prolonging: JoinHandle<()>,
}

impl Hold {
    pub(super) async fn begin(store: &Store) -> anyhow::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let name = hex::encode(random);
        hold(store, &name).await?;
        let prolonging = tokio::spawn(prolong(store.clone(), name.clone()));
        Ok(Self { store: store.clone(), name, prolonging })
    }

    /// Lets the collection go on.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.prolonging.abort();
        let mut tx = self.store.write().await?;
        store::end_hold(&mut tx, &self.name).await?;
        Ok(tx.commit().await?)
    }
}

async fn hold(store: &Store, name: &str) -> anyhow::Result<()> {
    let mut tx = store.write().await?;
    store::hold_collection(&mut tx, name, Timestamp::now() + HOLD).await?;
    Ok(tx.commit().await?)
}

async fn prolong(store: Store, name: String) {
    loop {
        tokio::time::sleep(PROLONG).await;
        // A database that is busy now is not busy at each of several tries within the hold.
        let _ = hold(&store, &name).await;
    }
}

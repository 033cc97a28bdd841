//! What is asked often is answered from an index: its cost does not grow with history.

use sqlx::Row as _;

use crate::connection::Store;
use crate::{builds, desired, keeping, metrics, releases};

/// Tables that grow with history, by the names that queries give them, and those that hold only what is.
const LONG: [&str; 11] = [
    "releases",
    "r",
    "builds",
    "b",
    "operations",
    "operation_steps",
    "slugs",
    "s",
    "other",
    "activities",
    "metrics",
];

/// Indexes that hold only rows which are few however long the history is.
const SHORT: [&str; 4] = ["builds_unfinished", "operations_one_active", "builds_one_running", "slugs_kept"];

const HOT: [&str; 11] = [
    desired::OPERATIONS,
    desired::FORMATION,
    desired::REPLICAS,
    desired::DOMAINS,
    desired::APPS,
    builds::UNFINISHED,
    releases::NEWEST_THAT_COUNTS,
    keeping::OLD_SLUGS,
    keeping::USES,
    metrics::REQUESTS,
    metrics::OLDEST,
];

async fn plan(store: &Store, query: &str) -> Vec<String> {
    let mut db = store.read().await.unwrap();
    let explain = sqlx::AssertSqlSafe(format!("explain query plan {query}"));
    let rows = sqlx::query(explain).fetch_all(&mut *db).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

fn reads_history(step: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else { return false };
    let table = rest.split_whitespace().next().unwrap_or_default();
    LONG.contains(&table) && !SHORT.iter().any(|index| rest.contains(index))
}

#[tokio::test]
async fn no_hot_query_reads_a_table_that_grows_with_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("paas.db")).await.unwrap();
    for query in HOT {
        let plan = plan(&store, query).await;
        assert!(!plan.iter().any(|step| reads_history(step)), "{query}\n{plan:#?}");
    }
    let slow = plan(&store, "select * from releases where reason = 'x'").await;
    assert!(slow.iter().any(|step| reads_history(step)), "a scan would not be noticed: {slow:?}");
}

//! The tests on `SQLite`: a file in the test's directory.

use std::path::Path;

use store::Store;

pub(crate) async fn open(dir: &Path) -> Store {
    Store::open_file(&dir.join("paas.db")).await.unwrap()
}

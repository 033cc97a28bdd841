//! Puts what is in a backup to its place in a directory that nobody uses yet.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use backup::Member;
use git::Repositories;
use model::id::AppId;
use slug::{BlobPlace, SlugStore};
use store::{DatabaseUrl, Import, Store, Transaction};
use tokio::runtime::Runtime;

use crate::options::Options;

/// A directory that becomes a data directory.
pub(super) struct PutBack<'a> {
    runtime: &'a Runtime,
    dir: PathBuf,
    url: Option<DatabaseUrl>,
    store: Store,
    rows: Transaction,
    import: Import,
    slugs: SlugStore,
    repositories: Repositories,
    made: BTreeSet<AppId>,
    /// Images that were put there.
    pub(super) images: u64,
}

impl<'a> PutBack<'a> {
    /// Begins in an empty directory, with the tables of the backup's version.
    pub(super) fn begin(
        runtime: &'a Runtime,
        dir: &Path,
        options: &Options,
        schema: i64,
    ) -> anyhow::Result<Self> {
        let url = options.database_url.clone();
        let store = runtime.block_on(Store::make_at(&dir.join("paas.db"), url.as_ref(), schema))?;
        let slugs = match &options.blobs {
            // It is in the data directory, which has another name until everything is in it.
            BlobPlace::Directory(root) if *root == options.dir("blobs") => {
                SlugStore::local(&dir.join("blobs"))?
            }
            place => SlugStore::open(place, std::env::vars())?,
        };
        Ok(Self {
            runtime,
            dir: dir.to_owned(),
            rows: runtime.block_on(store.fill())?,
            store,
            import: Import::default(),
            slugs,
            url,
            repositories: Repositories::open(&dir.join("repos"))?,
            made: BTreeSet::new(),
            images: 0,
        })
    }

    /// Puts a member to its place.
    pub(super) fn put(&mut self, member: &Member, content: &mut dyn Read) -> anyhow::Result<()> {
        match member {
            Member::Head | Member::Manifest => Ok(()),
            Member::Rows { table, .. } => {
                let mut lines = Vec::new();
                content.read_to_end(&mut lines)?;
                let put = self.runtime.block_on(self.import.rows(&mut self.rows, table, &lines));
                put.map(drop).with_context(|| format!("the rows of {table}"))
            }
            Member::SecretKey => write(&self.dir.join("secret-key"), content),
            Member::AdminToken => write(&self.dir.join("admin-token"), content),
            Member::Configuration => write(&self.dir.join("paasd.toml"), content),
            Member::Certificate { domain, file } => {
                let folder = self.dir.join("certs").join(domain);
                DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
                write(&folder.join(file), content)
            }
            Member::Image(digest) => {
                let aside = self.dir.join("image");
                write(&aside, content)?;
                self.runtime.block_on(self.slugs.put(digest, &aside))?;
                self.images += 1;
                Ok(fs::remove_file(aside)?)
            }
            Member::Repository { app, file } => {
                let id = app.to_string();
                let repository = match self.made.insert(*app) {
                    true => self.repositories.create(&id, "main")?,
                    false => self.repositories.repository(&id)?,
                };
                repository.put_back(file, content)
            }
        }
    }

    /// Brings everything up to date and looks at it. Returns what is not as it should be, a sentence each.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<String>> {
        self.runtime.block_on(async {
            self.import.finish(&mut self.rows).await?;
            self.rows.commit().await?;
            self.store.close().await;
            let store = Store::open(&self.dir.join("paas.db"), self.url.as_ref()).await?;
            let mut tx = store.write().await?;
            store::move_house(&mut tx).await?;
            tx.commit().await?;
            let missing = look(&store, &self.slugs, &self.dir).await?;
            store.close().await;
            Ok(missing)
        })
    }
}

/// Looks whether the key opens what is sealed, and whether every image is there.
async fn look(store: &Store, slugs: &SlugStore, dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let key = dir.join("secret-key");
    if !key.exists() {
        wrong.push("there is no secret key in the backup: config vars cannot be opened".to_owned());
    }
    let vault = store::Vault::open_file(&key)?;
    let mut db = store.read().await?;
    for (app, name) in store::backed_up_apps(&mut db).await? {
        if store::current_config(&mut db, &vault, app).await.is_err() {
            wrong.push(format!("the config of {name} cannot be opened with the secret key of the backup"));
        }
    }
    for digest in store::kept_images(&mut db).await? {
        if slugs.find(&digest).await?.is_none() {
            let short = digest.short();
            wrong.push(format!("slug {short} is not in the backup: releases of it cannot be rolled back to"));
        }
    }
    Ok(wrong)
}

/// Writes a file that is not there yet, readable by its owner only.
fn write(path: &Path, content: &mut dyn Read) -> anyhow::Result<()> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    io::copy(content, &mut file).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

//! What a collection would remove now, why, and how many bytes that gives back. It asks the same rules as the collection,
//! `model::keep`, and removes nothing.

use std::collections::BTreeMap;
use std::fmt;

use build::KeptImage;
use jiff::Timestamp;
use model::id::{AppId, SlugId};
use model::keep::{self, HostGarbage, image_may_go};
use model::wording;
use serde::Serialize;
use slug::SlugStore;
use store::Store;

use crate::disk;
use crate::options::Options;
use crate::reports::Reports;

/// Most builds whose output is listed.
const OUTPUTS: u32 = 1000;

/// Something that may go.
#[derive(Debug, Serialize)]
pub(crate) struct Garbage {
    /// `slug`, `output`, `image` of a builder, or what a host has: `container`, `network`, `image`.
    kind: String,
    /// The slug's digest, the build's id, or by what the engine of a host knows it.
    id: String,
    /// The app's name, if it belongs to one.
    app: Option<String>,
    /// The name of the host that has it, if it is not the server's.
    host: Option<String>,
    /// What it takes.
    bytes: u64,
    /// Why nobody needs it.
    why: String,
}

/// All that may go.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Preview {
    /// A backup is under way: slugs and what destroyed apps left stay until it is done.
    held: bool,
    /// What may go.
    garbage: Vec<Garbage>,
    /// Bytes of all of it.
    bytes: u64,
    /// Old builds of which only what their release needs would be kept, and operations whose steps would go.
    builds: u64,
    operations: u64,
}

/// What only the server that runs knows.
pub(crate) struct Known {
    /// What hosts have.
    pub(crate) reports: Reports,
    /// What is kept for builds of images of apps that are gone.
    pub(crate) images: Vec<KeptImage>,
}

/// Looks what may go; on hosts and in the builder of images only where that is known.
pub(crate) async fn preview(
    store: &Store,
    slugs: &SlugStore,
    options: &Options,
    known: Option<Known>,
) -> anyhow::Result<Preview> {
    let stored = slugs.list().await?;
    let mut db = store.read().await?;
    let mut preview = Preview { held: store::is_collection_held(&mut db).await?, ..Preview::default() };
    let names: BTreeMap<AppId, String> = store::backed_up_apps(&mut db).await?.into_iter().collect();
    let given_up = given_up(&mut db, &names).await?;
    let now = Timestamp::now();
    for image in stored {
        let mut of_slugs = store::image_use(&mut db, &image.digest).await?;
        let slugs = store::kept_slugs_of(&mut db, &image.digest).await?;
        let reasons: Vec<_> = slugs.iter().filter_map(|slug| given_up.get(slug)).collect();
        of_slugs.needed = reasons.len() < slugs.len();
        if image_may_go(image.put_at, of_slugs, now) {
            let (app, why) = match reasons.first() {
                Some((app, why)) => (app.clone(), why.clone()),
                None if of_slugs.released_at.is_some() => (None, "all of its slugs were given up".to_owned()),
                None => (None, "no slug speaks of it; a server that died left it".to_owned()),
            };
            let (kind, id) = ("slug".to_owned(), image.digest.to_string());
            preview.add(Garbage { kind, id, app, host: None, bytes: image.bytes, why });
        }
    }
    for (build, app) in store::outputs_to_silence(&mut db, OUTPUTS).await? {
        let dir = options.dir("builds").join(build.to_string());
        let bytes = tokio::task::spawn_blocking(move || disk::used(&dir)).await?.unwrap_or_default();
        let why = format!("older than the newest {} builds of its app", keep::BUILD_LOGS);
        preview.add(Garbage {
            kind: "output".to_owned(),
            id: build.to_string(),
            app: names.get(&app).cloned(),
            host: None,
            bytes,
            why,
        });
    }
    for host in store::list_hosts(&mut db).await? {
        let heard = known.as_ref().and_then(|known| known.reports.of(host.id));
        for garbage in heard.iter().flat_map(|heard| &heard.report.garbage) {
            let HostGarbage { kind, id, bytes, why } = garbage.clone();
            preview.add(Garbage { kind, id, app: None, host: Some(host.name.clone()), bytes, why });
        }
    }
    for KeptImage { name, app, bytes } in known.into_iter().flat_map(|known| known.images) {
        preview.add(Garbage {
            kind: "image".to_owned(),
            id: name,
            app: names.get(&app).cloned(),
            host: None,
            bytes,
            why: "kept for the next build of an app that was destroyed; its size counts what it shares"
                .to_owned(),
        });
    }
    preview.builds = store::count_builds_to_trim(&mut db).await?;
    preview.operations = store::count_operations_to_trim(&mut db).await?;
    Ok(preview)
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.held {
            writeln!(f, "A backup is under way: slugs stay until it is done.")?;
        }
        if self.garbage.is_empty() && self.builds + self.operations == 0 {
            return f.write_str("There is nothing to remove.");
        }
        for garbage in &self.garbage {
            let app = garbage.app.as_ref().map(|app| format!(" of {app}")).unwrap_or_default();
            let (kind, id, size) = (&garbage.kind, &garbage.id, wording::bytes(garbage.bytes));
            writeln!(f, "{kind} {id}{app}, {size}: {}", garbage.why)?;
        }
        write!(f, "{} in all", wording::bytes(self.bytes))?;
        if self.builds + self.operations > 0 {
            let (builds, operations) = (self.builds, self.operations);
            write!(f, ", and the details of {builds} old builds and {operations} old operations")?;
        }
        Ok(())
    }
}

impl Preview {
    fn add(&mut self, garbage: Garbage) {
        self.bytes += garbage.bytes;
        self.garbage.push(garbage);
    }
}

/// Returns the slugs that a collection gives up, with the names of their apps and why.
async fn given_up(
    db: &mut store::Db,
    names: &BTreeMap<AppId, String>,
) -> anyhow::Result<BTreeMap<SlugId, (Option<String>, String)>> {
    let mut found = BTreeMap::new();
    for app in store::apps_with_old_slugs(db).await? {
        let slugs = store::app_slugs(db, app).await?;
        let why = match slugs.destroyed {
            true => "its app was destroyed".to_owned(),
            false => format!("older than the last {} slugs of its app, and nothing runs it", keep::SLUGS),
        };
        found
            .extend(slugs.unneeded().into_iter().map(|slug| (slug, (names.get(&app).cloned(), why.clone()))));
    }
    Ok(found)
}

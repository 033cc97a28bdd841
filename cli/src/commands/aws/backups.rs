//! `aws:backups`: what of the platform is kept in its bucket.

use aws::control::{Backup, Bucket, bucket};
use model::wording;
use serde_json::json;

use super::options::WhereOptions;
use super::server::stopped;
use super::{failed, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::table::Table;

/// What stands for the newest backup.
const NEWEST: &str = "newest";

/// List the backups of the control plane
///
/// They are in the platform's bucket. One is made each night, and one by `aws:update` before it changes anything. Who has a backup has the key to all config vars.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:backups --name prod --region us-east-1
  NAME                                SIZE
  paas-2026-11-22T033000Z.tar.zst  41.2 MB
  $ paasctl aws:update --name prod --region us-east-1 --restore paas-2026-11-22T033000Z.tar.zst")]
pub(crate) struct Backups {
    #[command(flatten)]
    place: WhereOptions,

    #[command(flatten)]
    json: JsonOption,
}

impl Backups {
    /// Shows them.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let screen = &context.screen;
        let (bucket, backups) = wait_for(async {
            let clients = self.place.clients().await?;
            let name = bucket(&clients, &self.place.any()).await.map_err(|error| stopped(&error))?;
            let backups = Bucket { clients: &clients, name: &name }.backups().await;
            Ok((name, backups.map_err(|failure| failed(&failure))?))
        })?;
        if self.json.json {
            let described = |backup: &Backup| json!({ "name": backup.name, "bytes": backup.bytes });
            return screen.json(&backups.iter().map(described).collect());
        }
        if backups.is_empty() {
            screen
                .say(&format!("There is no backup in {bucket} yet; the control plane makes one each night."));
            return Ok(());
        }
        let mut table = Table::new(["NAME", "SIZE"]);
        for backup in &backups {
            table.row([backup.name.as_str().into(), wording::bytes(backup.bytes).into()]);
        }
        screen.print(&table.render(screen))
    }
}

/// Returns the name of the backup that is meant: that of the newest, or of one that is there.
pub(super) fn meant(backups: &[Backup], asked: &str) -> Result<String> {
    let found = match asked {
        NEWEST => backups.last(),
        name => backups.iter().find(|backup| backup.name == name),
    };
    found.map(|backup| backup.name.clone()).ok_or_else(|| {
        let what = if asked == NEWEST { "no backup".to_owned() } else { format!("no backup {asked}") };
        Error::failed(format!("there is {what} in the platform's bucket"))
            .hint("`paasctl aws:backups` lists those that are there.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_there_is_meant_or_the_newest() {
        let backups = ["a.tar.zst", "b.tar.zst"].map(|name| Backup { name: name.into(), bytes: 1 });
        assert_eq!(meant(&backups, "newest").unwrap(), "b.tar.zst");
        assert_eq!(meant(&backups, "a.tar.zst").unwrap(), "a.tar.zst");
        assert!(meant(&backups, "c").unwrap_err().message.contains("no backup c in"));
        assert!(meant(&[], "newest").unwrap_err().message.contains("no backup in"));
    }
}

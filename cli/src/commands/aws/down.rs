//! `aws:down`: removes what `aws:up` and the platform made.

use aws::setup::{Patience, down, look, removal};
use model::wording;
use serde_json::json;

use super::options::WhereOptions;
use super::{failed, shown, stopped, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::question;

/// Remove all that carries the platform's tag on AWS
///
/// It shows first what it will remove, and asks. What it did not make, such as an adopted network, stays as it is. So does the bucket with slugs
/// and backups, unless --delete-bucket says otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:down --name prod --region us-east-1
  …
  Remove these 29 parts for good? [y/n] y
    removed load balancer's port 80 …
  …
  Nothing of prod is left.")]
pub(crate) struct Down {
    #[command(flatten)]
    place: WhereOptions,

    /// Remove the bucket too, with all that is in it
    #[arg(long)]
    delete_bucket: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Down {
    /// Shows, asks, removes.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let screen = &context.screen;
        let steps = wait_for(async {
            let clients = self.place.clients().await?;
            let wish = self.place.any();
            let found =
                look(&clients, &wish, Patience::default()).await.map_err(|failure| failed(&failure))?;
            let steps = removal(&found, self.delete_bucket);
            if steps.is_empty() && found.leftovers.is_empty() {
                return Ok(steps);
            }
            screen.say(&shown::steps(screen, &steps));
            if let Some(line) = shown::leftovers(found.leftovers.iter()) {
                screen.say(&line);
            }
            self.ask(steps.len())?;
            let tell = |progress: aws::setup::Progress<'_>| {
                if let Some(line) = shown::progress(progress) {
                    screen.say(&line);
                }
            };
            let gone = down(&clients, &wish, self.delete_bucket, Patience::default(), tell).await;
            gone.map_err(|error| stopped(&error))?;
            Ok(steps)
        })?;
        let kept = if self.delete_bucket { "" } else { " but its bucket, if it had one" };
        screen.say(&format!("Nothing of {} is left{kept}.", self.place.name));
        if self.json.json { screen.json(&json!({ "removed": steps })) } else { Ok(()) }
    }

    fn ask(&self, parts: usize) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        match question::agreed(&format!("Remove these {} for good?", wording::count(parts, "part")))? {
            Some(true) => Ok(()),
            Some(false) => Err(Error::failed("nothing was removed")),
            None => Err(Error::usage("nobody is there to be asked").hint("Say --yes to remove them.")),
        }
    }
}

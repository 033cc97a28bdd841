//! `aws:update`: another paasd, or a backup in the place of its data, for the machine of the control plane.

use std::path::PathBuf;
use std::time::Duration;

use aws::Clients;
use aws::bake::Program;
use aws::control::{Bucket, ControlError, Machine, Next, bucket, look, next, restart};
use jiff::Timestamp;
use model::upkeep::{COUNTS_FOR, Order, Outcome};
use model::wording;
use serde_json::json;

use super::backups::meant;
use super::bake::program;
use super::consent::consent;
use super::options::WhereOptions;
use super::server::stopped;
use super::{failed, wait_for};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};
use crate::screen::Screen;

/// How often it is said that the machine is waited for.
const OFTEN: Duration = Duration::from_secs(30);

/// Bring another paasd or a backup to the control plane
///
/// Nobody logs in there: what it shall become goes into the platform's bucket, and the machine is started anew and does it, after a backup of
/// what is there. Apps go on serving meanwhile; a push is refused for about a minute. Hosts get another paasd by `aws:bake`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:update --name prod --region us-east-1 --paasd target/release/paasd
  …
  i-0d3e… runs paasd 0.2.0 (3f9a0c2e77b1) now; what was before is s3://paas-prod-…/backups/paas-2026-11-22T101500Z.tar.zst
  $ paasctl aws:update --name prod --region us-east-1 --restore newest")]
#[group(id = "what", required = true, multiple = true, args = ["paasd", "restore"])]
pub(crate) struct Update {
    #[command(flatten)]
    place: WhereOptions,

    /// The paasd that it shall run, built for Linux
    #[arg(long, value_name = "FILE")]
    paasd: Option<PathBuf>,

    /// The backup that takes the place of its data, as `aws:backups` lists them, or `newest`
    #[arg(long, value_name = "NAME")]
    restore: Option<String>,

    /// Make no backup of what is there; a --restore then loses it
    #[arg(long)]
    no_backup: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Update {
    /// Shows, asks, brings, waits.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let screen = &context.screen;
        let program = self.paasd.as_deref().map(program).transpose()?;
        let (machine, outcome) = wait_for(async {
            let clients = self.place.clients().await?;
            let machine = self.machine(&clients).await?;
            let name = bucket(&clients, &self.place.any()).await.map_err(|error| stopped(&error))?;
            let bucket = Bucket { clients: &clients, name: &name };
            let outcome = bucket.outcome().await.map_err(|failure| failed(&failure))?;
            let order = self.order(bucket, program.as_ref(), outcome.as_ref()).await?;
            let (order, outcome) = match outcome.filter(|outcome| is_so(&order, outcome)) {
                Some(outcome) => (Order { id: outcome.order.clone(), ..order }, outcome),
                None => {
                    screen.say(&plan(&machine, &order, program.as_ref(), &name));
                    consent(self.yes, "Do it?", "nothing was changed", "do it")?;
                    let outcome = ask(screen, bucket, (&order, program.as_ref()), &machine).await?;
                    (order, outcome)
                }
            };
            if outcome.failure.is_some() || outcome.serves_since.is_some() {
                return Ok((machine, outcome));
            }
            let served = bucket.serves(&order, waits(screen, "its server")).await;
            Ok((machine, served.map_err(|error| stopped(&error))?))
        })?;
        if let Some(failure) = &outcome.failure {
            return Err(Error::failed(format!("{} did not become all of that: {failure}", machine.id))
                .hint("It serves with what it has. Running this again asks anew."));
        }
        screen.say(&format!("{} {}", machine.id, told(&outcome)));
        if self.json.json { screen.json(&json!(outcome)) } else { Ok(()) }
    }

    /// Returns the machine, which runs.
    async fn machine(&self, clients: &Clients) -> Result<Machine> {
        let seen = look(clients, &self.place.name).await.map_err(|failure| failed(&failure))?;
        match next(&seen) {
            Next::Done(machine) => Ok(machine),
            Next::Choose(ids) => Err(stopped(&ControlError::Several(ids))),
            Next::Ask | Next::Outlast(_) => Err(Error::failed("there is no control plane")
                .hint("`paasctl aws:server` starts one, with --restore from a backup.")),
            Next::Wake(id) | Next::Await(id) => Err(Error::failed(format!("{id} does not run"))
                .hint("`paasctl aws:server` starts it and waits for it.")),
        }
    }

    /// Returns what is asked for; the same as before if that was asked for already and nothing became of it yet.
    async fn order(
        &self,
        bucket: Bucket<'_>,
        program: Option<&Program>,
        outcome: Option<&Outcome>,
    ) -> Result<Order> {
        let restore = match &self.restore {
            Some(asked) => {
                let backups = bucket.backups().await.map_err(|failure| failed(&failure))?;
                Some(meant(&backups, asked)?)
            }
            None => None,
        };
        let now = Timestamp::now();
        let order = Order {
            id: now.as_millisecond().to_string(),
            program: program.map(|program| program.digest.clone()),
            restore,
            back_up: !self.no_backup,
            until: now + COUNTS_FOR,
        };
        let earlier = bucket.order().await.map_err(|failure| failed(&failure))?;
        let waits = |earlier: &Order| outcome.is_none_or(|outcome| outcome.order != earlier.id);
        let id = earlier
            .filter(|earlier| waits(earlier) && order.asks_for_the_same(earlier))
            .map(|earlier| earlier.id);
        Ok(Order { id: id.unwrap_or(order.id.clone()), ..order })
    }
}

/// Has the machine do what is asked for, and waits until it is done with that.
async fn ask(
    screen: &Screen,
    bucket: Bucket<'_>,
    (order, program): (&Order, Option<&Program>),
    machine: &Machine,
) -> Result<Outcome> {
    if let Some(program) = program
        && bucket.bring(program).await.map_err(|error| stopped(&error))?
    {
        screen.say(&format!("  uploaded paasd, {}", wording::bytes(program.bytes)));
    }
    bucket.place(order).await.map_err(|failure| failed(&failure))?;
    restart(bucket.clients, &machine.id).await.map_err(|failure| failed(&failure))?;
    screen.say(&format!("  {} starts anew", machine.id));
    bucket.outcome_of(order, waits(screen, "it")).await.map_err(|error| stopped(&error))
}

/// Says now and then what is waited for.
fn waits(screen: &Screen, what: &'static str) -> impl FnMut(Duration) {
    let mut said = Duration::ZERO;
    move |since| {
        if since >= said + OFTEN {
            said = since;
            screen.say(&format!("  waiting for {what} for {} s", since.as_secs()));
        }
    }
}

/// Tells whether what is asked for is so already.
fn is_so(order: &Order, outcome: &Outcome) -> bool {
    order.restore.is_none() && outcome.failure.is_none() && order.program.as_ref() == Some(&outcome.program)
}

/// Returns what is done, as text.
fn plan(machine: &Machine, order: &Order, program: Option<&Program>, bucket: &str) -> String {
    let mut lines = vec![format!("The control plane {} is started anew, and gets first", machine.id)];
    if order.back_up {
        lines.push(format!("  a backup of what is there, in s3://{bucket}/{}", model::upkeep::BACKUPS));
    }
    if let Some(program) = program {
        lines.push(format!("  paasd, {}, {}", wording::bytes(program.bytes), program.digest.short()));
    }
    if let Some(backup) = &order.restore {
        lines.push(format!("  what was at the time of {backup}, in the place of what is there"));
    }
    lines.push("Apps go on serving; a push is refused until it is back, in about a minute.".to_owned());
    lines.push("What the platform costs stays as it is.".to_owned());
    lines.join("\n")
}

/// Returns what became of it.
fn told(outcome: &Outcome) -> String {
    let before = outcome.backup.as_ref().map(|backup| format!("; what was before is {backup}"));
    format!("runs paasd {} ({}) now{}", outcome.version, outcome.program.short(), before.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_already_needs_nothing_and_a_restore_or_a_failure_always_does() {
        let digest: model::slug::Digest = "a".repeat(64).parse().unwrap();
        let (program, until) = (Some(digest.clone()), Timestamp::UNIX_EPOCH);
        let order = Order { id: "2".into(), program, restore: None, back_up: true, until };
        let outcome = Outcome {
            order: "1".into(),
            at: Timestamp::UNIX_EPOCH,
            program: digest,
            version: "0.2.0".into(),
            backup: None,
            failure: None,
            serves_since: None,
        };
        assert!(is_so(&order, &outcome));
        assert!(!is_so(&order, &Outcome { failure: Some("full".into()), ..outcome.clone() }));
        assert!(!is_so(&Order { restore: Some("a".into()), ..order.clone() }, &outcome));
        assert!(!is_so(&Order { program: None, ..order }, &outcome));
        assert_eq!(told(&outcome), "runs paasd 0.2.0 (aaaaaaaaaaaa) now");
    }
}

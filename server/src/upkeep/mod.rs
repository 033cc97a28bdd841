//! `paasd upkeep`: makes of a machine that nobody logs in to what its platform's bucket asks for, before the server starts there:
//! another `paasd`, or a backup in the place of its data. What is done in which order is decided in `model::upkeep`.

mod machine;
mod post;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use model::upkeep::{Order, Outcome, Step};
use slug::BlobPlace;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::options::ServeArgs;
use crate::platform::Platform;
use machine::Machine;
use post::Post;

/// How soon the bucket is told again what it did not take.
const AGAIN: Duration = Duration::from_secs(15);

/// The options of `paasd upkeep`.
#[derive(Args, Debug)]
pub struct UpkeepArgs {
    /// The paasd that makes place when another is asked for
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Only look whether this paasd can be run with these options
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Does it. Returns the process's exit code; the server must not start unless that is success.
#[must_use]
pub fn main(args: UpkeepArgs) -> ExitCode {
    crate::serve::run(|| crate::serve::runtime()?.block_on(keep_up(args)))
}

async fn keep_up(args: UpkeepArgs) -> anyhow::Result<()> {
    let configuration = args.serve.config_file().map(PathBuf::from);
    let options = args.serve.resolve()?;
    if args.check {
        return Ok(());
    }
    if !matches!(options.blobs, BlobPlace::S3 { .. }) {
        bail!("--blobs names no bucket, so there is nowhere to look what this machine is asked to be");
    }
    let post = Post::open(&options.blobs)?;
    let machine =
        Machine { program: args.program, data_dir: options.data_dir, configuration, bucket: options.blobs };
    let order = match post.order().await {
        Ok(Some(order)) => order,
        Ok(None) => return Ok(()),
        // It serves what it has, which is better than nothing.
        Err(error) if machine.has_data() => {
            warn!("this machine stays what it is: {error:#}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let last = machine::last(&machine.data_dir);
    let present = machine.present(last.as_ref())?;
    let steps = order.steps(&present);
    let outcome = match last.filter(|outcome| steps.is_empty() && outcome.order == order.id) {
        Some(told) => told,
        None if !order.counts(&present, Timestamp::now()) => {
            info!(order = order.id, "what this machine was asked to be does not count any more");
            return Ok(());
        }
        None => carry_out(&machine, &order, steps).await?,
    };
    machine.remember(&outcome)?;
    if let Err(error) = post.tell(&outcome).await {
        warn!("what became of the order is told at the next start: {error:#}");
    }
    match outcome.failure {
        Some(failure) if !machine.has_data() => Err(anyhow::anyhow!(failure)),
        _ => Ok(()),
    }
}

/// Takes the steps, up to one that fails.
async fn carry_out(machine: &Machine, order: &Order, steps: Vec<Step>) -> anyhow::Result<Outcome> {
    let (mut backup, mut failure) = (None, None);
    for step in steps {
        info!(order = order.id, ?step, "this machine is asked to change");
        let done = match &step {
            Step::BackUp => machine.back_up().await.map(|file| backup = Some(file)),
            Step::Replace(digest) => machine.replace(digest).await,
            Step::Restore(name) => machine.restore(name, &order.id).await,
        };
        let done = done.with_context(|| match &step {
            Step::BackUp => "what is there cannot be backed up, so nothing was changed".to_owned(),
            Step::Replace(digest) => format!("the paasd {} cannot take its place", digest.short()),
            Step::Restore(name) => format!("{name} cannot be restored"),
        });
        if let Err(error) = done {
            warn!("the order is not carried out: {error:#}");
            failure = Some(format!("{error:#}"));
            break;
        }
    }
    Ok(Outcome {
        order: order.id.clone(),
        at: Timestamp::now(),
        program: machine.digest()?,
        version: machine.version().await?,
        backup,
        failure,
        serves_since: None,
    })
}

/// Says in the bucket, once this server leads, that it serves what its machine was asked to become. Where nothing was asked, and
/// when all is said, it waits to be told to stop.
pub(crate) async fn tell_that_it_serves(platform: Arc<Platform>, stop: CancellationToken) {
    let telling = async {
        let Some(outcome) = machine::last(&platform.options.data_dir) else { return };
        platform.leadership.led().await;
        let outcome = Outcome { serves_since: Some(Timestamp::now()), ..outcome };
        let tell = async || Post::open(&platform.options.blobs)?.tell(&outcome).await;
        while let Err(error) = tell().await {
            warn!("that this machine serves is told again in a moment: {error:#}");
            tokio::time::sleep(AGAIN).await;
        }
    };
    stop.run_until_cancelled(telling).await;
    stop.cancelled().await;
}

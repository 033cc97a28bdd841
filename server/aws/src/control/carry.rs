//! Sees to it that there is one machine. After each step it looks anew, so that it goes on wherever it, or an earlier run, was
//! cut off.

use std::net::Ipv4Addr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::order::{self, Order};
use super::{Ground, Machine, Next, Seen, State, look, next};
use crate::bake::BakeError;
use crate::clients::Clients;
use crate::failure::{Failure, TOKEN_USED_UP};
use crate::setup::{ClusterName, NoFooting, Patience};

/// How long it may take until it runs.
const WITHIN: Duration = Duration::from_secs(600);

/// How long a machine that was asked for may be out of sight, until it is one that ended long ago.
const UNSEEN: Duration = Duration::from_secs(60);

/// How long the one before may take to end. It has the address until then.
const ENDS_WITHIN: Duration = Duration::from_secs(600);

/// How long an address may be taken after the one before is gone.
const FREED_WITHIN: Duration = Duration::from_secs(20);

/// What EC2 says of an address that another machine has.
const ADDRESS_TAKEN: &str = "InvalidIPAddress.InUse";

/// What EC2 says of a token with which something else was asked for.
const OTHER_WORDS: &str = "IdempotentParameterMismatch";

/// How often it is looked while AWS works; nothing tells.
const LOOK: Duration = Duration::from_secs(2);

/// What happens, for who watches.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Begins(&'a Next),
    /// An answer was lost; what there is is looked up.
    Unclear(&'a Failure),
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// AWS did not do it.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The set-up has nothing to start it with.
    #[error(transparent)]
    NoFooting(#[from] NoFooting),
    /// Hosts start from an image without the platform.
    #[error("the image that hosts start from is none that `aws:bake` made, so the platform is not in it")]
    NotBaked,
    /// Two machines.
    #[error("{} are control planes of this platform, each with data of its own", .0.join(" and "))]
    Several(Vec<String>),
    /// The machine cannot be told what it is to do.
    #[error("{0}")]
    Script(String),
    /// The program that was asked for is not in the bucket.
    #[error(transparent)]
    Upload(Box<BakeError>),
    /// Two asked at once.
    #[error("somebody else has asked the machine for something else meanwhile")]
    Overtaken,
    /// The machine does not say what became of what it was asked.
    #[error("the machine has not said what became of it after {} minutes", .0.as_secs() / 60)]
    Untold(Duration),
    /// The machine has become what it was asked for, and no server says that it serves.
    #[error("the machine has become that, and its server has not said that it serves after {} minutes", .0.as_secs() / 60)]
    Mute(Duration),
    /// Something else has the address that hosts call.
    #[error(
        "the address {0}, at which hosts call the control plane, belongs to something else in its subnet"
    )]
    AddressTaken(Ipv4Addr),
    /// The machine before is not gone.
    #[error("{0}, the control plane until now, has not ended after {min} minutes", min = ENDS_WITHIN.as_secs() / 60)]
    Lingers(String),
    /// AWS takes too long.
    #[error("no control plane runs after {min} minutes", min = WITHIN.as_secs() / 60)]
    Slow,
}

/// Has one machine run, and returns it. One that is there already stays as it is, whatever was asked for; what a new one does at
/// its first start is only made up when there is to be one.
///
/// # Errors
/// It cannot go on. The next run goes on from there, and makes no second one.
pub async fn start(
    clients: &Clients,
    name: &ClusterName,
    (ground, disk): (&Ground, u16),
    script: impl FnOnce() -> Result<String, String>,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Machine, ControlError> {
    let order = Order { name, ground, address: ground.private_address, disk, script: String::new() };
    let mut run = Run { clients, order, given_up: 0, asked: None, taken: None, since: Instant::now() };
    let mut script = Some(script);
    let mut step = None;
    loop {
        let seen = look(clients, name).await?;
        let now = next(&seen);
        if step.as_ref() != Some(&now) {
            tell(Progress::Begins(&now));
            if matches!(step, Some(Next::Outlast(_))) {
                run.since = Instant::now();
            }
        }
        if let Some(script) = script.take_if(|_| now == Next::Ask) {
            run.order.script = script().map_err(ControlError::Script)?;
        }
        match &now {
            Next::Done(machine) => return Ok(machine.clone()),
            Next::Choose(ids) => return Err(ControlError::Several(ids.clone())),
            Next::Outlast(id) if run.since.elapsed() > ENDS_WITHIN => {
                return Err(ControlError::Lingers(id.clone()));
            }
            _ if run.since.elapsed() > WITHIN => return Err(ControlError::Slow),
            now => run.take(now, &seen, &mut tell).await?,
        }
        step = Some(now);
        sleep(LOOK).await;
    }
}

/// One run of the command.
struct Run<'a> {
    clients: &'a Clients,
    order: Order<'a>,
    /// How many tokens belong to machines that are out of sight for good.
    given_up: usize,
    /// With which token it was asked for, and since when.
    asked: Option<(String, Instant)>,
    /// Since when its address is taken.
    taken: Option<Instant>,
    since: Instant,
}

impl Run<'_> {
    /// Takes a step. What is unclear is no error for a while: the next look shows what became of it.
    async fn take(
        &mut self,
        step: &Next,
        seen: &Seen,
        tell: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), ControlError> {
        let outcome = match step {
            Next::Ask => {
                let token = self.token(seen);
                order::ask(self.clients, &self.order, token).await
            }
            Next::Wake(id) => order::wake(self.clients, id).await,
            Next::Await(_) | Next::Outlast(_) | Next::Done(_) | Next::Choose(_) => Ok(()),
        };
        match outcome {
            // EC2 frees an address a moment after its machine has ended. With another one the machine would run, and no host
            // find it.
            Err(failure) if failure.code == ADDRESS_TAKEN => {
                let since = self.taken.get_or_insert_with(Instant::now).elapsed();
                let address = self.order.address.filter(|_| since > FREED_WITHIN);
                tell(Progress::Unclear(&failure));
                address.map_or(Ok(()), |address| Err(ControlError::AddressTaken(address)))
            }
            Err(failure) if failure.code == TOKEN_USED_UP => {
                (self.given_up, self.asked) = (self.given_up + 1, None);
                tell(Progress::Unclear(&failure));
                Ok(())
            }
            // Whose token it is shows soon, or it is given up: there may be several, and each has its minute.
            Err(failure) if failure.code == OTHER_WORDS => {
                tell(Progress::Unclear(&failure));
                Ok(())
            }
            Err(failure) if is_bearable(&failure) && self.since.elapsed() < Patience::default().passing => {
                tell(Progress::Unclear(&failure));
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }

    /// Returns what EC2 knows a repetition by: the same for all who ask for this platform's machine, however they ask, so that
    /// there are not two. It is used up with the machine that it gave.
    fn token(&mut self, seen: &Seen) -> String {
        let gone = seen.machines.iter().filter(|machine| machine.state == State::Ended).count();
        let token = self.order.token(gone + self.given_up);
        match &self.asked {
            Some((asked, since)) if *asked == token && since.elapsed() > UNSEEN => {
                self.given_up += 1;
                self.asked = None;
            }
            Some((asked, _)) if *asked == token => {}
            _ => self.asked = Some((token.clone(), Instant::now())),
        }
        token
    }
}

impl Order<'_> {
    fn token(&self, attempt: usize) -> String {
        // A set-up that is made anew has another group.
        let digest = Sha256::digest(format!("{} {} {attempt}", self.name, self.ground.group));
        format!("control-{}", digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

fn is_bearable(failure: &Failure) -> bool {
    failure.kind.is_unclear() || failure.is_about_profile()
}

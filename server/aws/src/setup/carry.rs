//! Carries plans out. It may be stopped anywhere: what was done is found by its tags, and the next run goes on from
//! there.

use super::make::Making;
use super::settle::{Patience, bear, is_untaken, look, look_before_leaving, seek};
use super::{Action, Entrance, Found, Part, Site, Step, Who, Wish, plan, removal, remove};
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

/// How often a plan is made anew, after answers were lost, until that is too odd to go on.
const ROUNDS: usize = 20;

/// What happens, for who watches.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Begins(&'a Step),
    /// It is done.
    Done(&'a Step),
    /// Its answer was lost; what there is is looked up.
    Unclear(&'a Step, &'a Failure),
}

/// Why it is not finished.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{failure}", step.as_ref().map(|step| format!("{}: ", step.part.words())).unwrap_or_default())]
pub struct Stopped {
    /// At which step; none, if AWS could not be looked at.
    pub step: Option<Step>,
    /// Why.
    pub failure: Failure,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self { step: None, failure }
    }
}

/// Makes everything as wanted. Returns what that came to.
///
/// # Errors
/// A step failed for good. What was done before it stays, and the next run goes on from there.
pub async fn up(
    clients: &Clients,
    wish: &Wish,
    patience: Patience,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Site, Stopped> {
    let mut found = look(clients, wish, patience).await?;
    for _ in 0..ROUNDS {
        let steps = plan(wish, &found);
        if steps.is_empty() {
            return site(clients, wish, &found).ok_or_else(|| incomplete().into());
        }
        let lost = round(clients, wish, &steps, &mut found, patience, &mut tell).await?;
        found = match lost {
            // A lost answer about what was set is no riddle: setting it again changes nothing.
            Some(part) => seek(clients, wish, &part, patience).await?,
            None => look(clients, wish, patience).await?,
        };
    }
    Err(incomplete().into())
}

/// Takes the steps in order. Returns the part whose making had no answer, if that happened.
async fn round(
    clients: &Clients,
    wish: &Wish,
    steps: &[Step],
    found: &mut Found,
    patience: Patience,
    tell: &mut impl FnMut(Progress<'_>),
) -> Result<Option<Part>, Stopped> {
    for step in steps {
        if is_done(step, found) {
            continue;
        }
        tell(Progress::Begins(step));
        let outcome = bear(patience, is_untaken, async || take(clients, wish, step, found).await).await;
        match outcome {
            Ok(()) => tell(Progress::Done(step)),
            // Somebody, perhaps an earlier call of ours, was faster.
            Err(failure) if failure.kind == Kind::Lost || is_twice(step, &failure) => {
                tell(Progress::Unclear(step, &failure));
                return Ok(Some(step.part.clone()));
            }
            Err(failure) => return Err(Stopped { step: Some(step.clone()), failure }),
        }
    }
    Ok(None)
}

fn is_twice(step: &Step, failure: &Failure) -> bool {
    step.action == Action::Create && failure.kind == Kind::Conflict
}

/// Tells whether making a part has already set what this step sets.
fn is_done(step: &Step, found: &Found) -> bool {
    let Action::Set(setting) = step.action else { return false };
    found.piece(&step.part).is_some_and(|piece| piece.holds.contains(&setting))
}

async fn take(clients: &Clients, wish: &Wish, step: &Step, found: &mut Found) -> Result<(), Failure> {
    let making = Making { clients, wish, found };
    match &step.action {
        Action::Create => {
            let piece = making.create(&step.part).await?;
            found.note(step.part.clone(), piece);
        }
        Action::Set(setting) => {
            making.set(&step.part, *setting).await?;
            found.note_set(&step.part, *setting);
        }
        Action::Discard { id } | Action::Remove { id } => {
            remove::part(clients, wish, &step.part, id).await?;
            found.forget(&step.part, id);
        }
    }
    Ok(())
}

/// Removes everything that carries the platform's tag: machines first, then the set-up in the reverse order of its making. What
/// cannot be made again, the bucket and the control plane's disk, stays unless it is asked for.
///
/// # Errors
/// A step failed for good; the next run goes on from there.
pub async fn down(
    clients: &Clients,
    wish: &Wish,
    data_too: bool,
    patience: Patience,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<(), Stopped> {
    for _ in 0..ROUNDS {
        let mut found = look_before_leaving(clients, wish, patience).await?;
        let steps = removal(&found, data_too);
        let leftovers = found.leaving(data_too);
        if steps.is_empty() && leftovers.is_empty() {
            return Ok(());
        }
        let (entrance, rest): (Vec<Step>, Vec<Step>) =
            steps.into_iter().partition(|step| matches!(step.part, Part::Listener(..)));
        // Rules name target groups, and go with their listeners.
        let mut lost = round(clients, wish, &entrance, &mut found, patience, &mut tell).await?;
        if lost.is_none() {
            match remove::leftovers(clients, wish, leftovers.iter()).await {
                Err(failure) if failure.kind != Kind::Lost => return Err(failure.into()),
                Err(_) => lost = Some(Part::Template),
                Ok(()) => {}
            }
        }
        if lost.is_none() {
            round(clients, wish, &rest, &mut found, patience, &mut tell).await?;
        }
    }
    Err(incomplete().into())
}

fn incomplete() -> Failure {
    Failure {
        kind: Kind::Lost,
        action: "aws:up",
        code: "unsettled".into(),
        message: "what AWS shows does not come to what was asked of it".into(),
    }
}

/// Returns what a finished set-up comes to.
fn site(clients: &Clients, wish: &Wish, found: &Found) -> Option<Site> {
    let id = |part: &Part| found.id(part).map(str::to_owned);
    let host_subnets = super::look::host_subnets(wish, found);
    let (balancer, listeners) = match &wish.entrance {
        Entrance::Own { .. } => {
            let listeners =
                [80, 443].into_iter().filter_map(|port| Some((port, id(&Part::Listener(1, port))?)));
            (id(&Part::Balancer(1))?, listeners.collect())
        }
        Entrance::Adopted { balancer } => (balancer.clone(), found.adopted.listeners.clone()),
    };
    Some(Site {
        cluster: wish.name.clone(),
        account: found.account.clone(),
        region: clients.region.clone(),
        vpc: super::look::vpc(wish, found)?.to_owned(),
        control_subnet: host_subnets.first()?.id.clone(),
        host_subnets,
        host_group: id(&Part::Group(Who::Host))?,
        control_group: id(&Part::Group(Who::Control))?,
        control_profile: id(&Part::Profile(Who::Control))?,
        launch_template: id(&Part::Template)?,
        bucket: id(&Part::Bucket)?,
        balancer,
        address: found.address.clone(),
        more_addresses: found.more_addresses.clone(),
        dns_zone: found.dns_zone.clone(),
        listeners,
    })
}

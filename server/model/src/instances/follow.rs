//! Follows each launch from the order to its end: asked until there is an answer, adopted when it shows, given up when it
//! never comes up, forgotten when it is gone.

use jiff::SignedDuration;

use super::view::{Cause, Instance, Sight, State, Stray, Wish};
use super::{Action, Alarm, Deciding, trust};
use crate::plan::Standing;
use crate::wording;

/// How many orders are asked for at once. A cloud takes one or two a second: of more, the last would wait for minutes, and
/// whatever else happens meanwhile with them.
pub(super) const ASKED: usize = 20;

/// How long a launch may be without an answer and without a sign of its instance.
const UNANSWERED: SignedDuration = SignedDuration::from_mins(15);

/// How long one that is no more wanted is looked out for: what was asked for may show late.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// How long after it was decided a launch lets its instance join: while it is asked for, while that boots, and a while beyond.
pub(super) const JOINS: SignedDuration = SignedDuration::from_mins(30);

/// How long after a host was lost its instance is ended. A zone that was cut off may come back until then.
const LOST: SignedDuration = SignedDuration::from_mins(5);

/// How long one that nobody ordered stays: what was restored from a backup may be behind.
const STRAY: SignedDuration = SignedDuration::from_mins(15);

/// Takes the cloud at its word where it says that something is there, or has ended for good. That is never a mistake.
pub(super) fn believe(deciding: &mut Deciding) {
    let mut over = Vec::new();
    for at in 0..deciding.view.instances.len() {
        let instance = &deciding.view.instances[at];
        let Sight::Seen { id, state } = &instance.seen else { continue };
        let (launch, id, state) = (instance.launch, id.clone(), *state);
        if instance.id.is_none() {
            deciding.view.instances[at].id = Some(id.clone());
            deciding.act(Action::Adopt(launch, id.clone()));
        }
        if state == State::Ended {
            over.push(launch);
            let instance = &deciding.view.instances[at];
            let cause = instance.wish.cause().unwrap_or_else(|| instance.own_end());
            let says = instance.says.as_ref().map(|says| format!(": {says}")).unwrap_or_default();
            let why = match cause {
                Cause::Vanished => format!("instance {id} ended, and not because of the platform{says}"),
                Cause::Failed => format!("instance {id} ended before a host joined from it{says}"),
                _ => format!("instance {id} has ended"),
            };
            deciding.forget(at, cause, why);
        }
    }
    deciding.view.instances.retain(|instance| !over.contains(&instance.launch));
}

/// Takes each launch a step further.
pub(super) fn follow(deciding: &mut Deciding) {
    for at in 0..deciding.view.instances.len() {
        if forget(deciding, at) {
            continue;
        }
        let instance = &deciding.view.instances[at];
        match instance.wish {
            Wish::Run if instance.notice => {
                let why = match instance.stale.clone().filter(|_| instance.due) {
                    Some(date) => date,
                    None => format!("{} is about to be taken back by the cloud", instance.name()),
                };
                deciding.drain(at, Cause::Reclaimed, why);
            }
            // What is only likely is no reason to empty many at once.
            Wish::Run if instance.risk && instance.is_wanted() => {
                let why = format!("{} may be taken back by the cloud soon", instance.name());
                if deciding.may_replace() {
                    deciding.drain(at, Cause::AtRisk, why);
                }
            }
            // Whoever let it have replicas again while it should leave did not know.
            Wish::Drain { cause, .. } if stands(instance, Standing::Ready) => {
                let why = format!("{} is to leave", instance.name());
                deciding.drain(at, cause, why);
            }
            Wish::Run if instance.id.is_none() && instance.seen == Sight::Unseen => ask(deciding, at),
            Wish::Run => {}
            Wish::Drain { .. } | Wish::End { .. } => {}
        }
        give_up(deciding, at);
    }
    deciding.view.instances.retain(|instance| !is_forgotten(&deciding.decision.actions, instance));
}

fn is_forgotten(actions: &[Action], instance: &Instance) -> bool {
    actions.iter().any(|action| matches!(action, Action::Forget { launch, .. } if *launch == instance.launch))
}

fn stands(instance: &Instance, standing: Standing) -> bool {
    instance.host.as_ref().is_some_and(|host| host.standing == standing)
}

fn ask(deciding: &mut Deciding, at: usize) {
    let instance = &deciding.view.instances[at];
    let asked = deciding.decision.actions.iter().filter(|action| matches!(action, Action::Ask(_))).count();
    if deciding.view.now >= instance.ask_at && asked < ASKED {
        deciding.act(Action::Ask(instance.launch));
    }
}

/// Forgets one of which there is nothing, and tells whether it did.
fn forget(deciding: &mut Deciding, at: usize) -> bool {
    let instance = &deciding.view.instances[at];
    let late = match instance.wish {
        Wish::End { since, .. } => deciding.ago(since) >= LATE,
        _ => false,
    };
    let (cause, why) = match instance.seen {
        Sight::Unseen if late && deciding.ago(instance.decided_at) >= LATE => {
            let cause = instance.wish.cause().unwrap_or(Cause::Dead);
            (cause, format!("nothing came of {}", instance.name()))
        }
        Sight::Missing { .. } if trust::is_vanished(instance, &deciding.view) => {
            let cause = instance.wish.cause().unwrap_or_else(|| instance.own_end());
            (cause, format!("the cloud does not know {} any more", instance.name()))
        }
        Sight::Missing { .. } if stands(instance, Standing::Ready) => {
            let says = format!("the cloud does not know {}, and its agent answers", instance.name());
            deciding.alarm(Alarm { about: format!("unknown {}", instance.name()), says });
            return false;
        }
        _ => return false,
    };
    deciding.forget(at, cause, why);
    true
}

/// Ends one that does not come up, or does not come back.
fn give_up(deciding: &mut Deciding, at: usize) {
    let instance = &deciding.view.instances[at];
    let age = deciding.ago(instance.decided_at);
    let (up, boot) =
        (deciding.ago(instance.asked_at.unwrap_or(instance.decided_at)), deciding.view.settings.boot);
    let name = instance.name();
    if instance.removed && instance.wish == Wish::Run {
        return deciding.end(at, Cause::Removed, format!("the host of {name} was removed by hand"));
    }
    let lost = instance.host.as_ref().and_then(|host| host.lost_since).map(|since| deciding.ago(since));
    let verdict = match (&instance.seen, &instance.host) {
        _ if matches!(instance.wish, Wish::End { .. }) => None,
        (Sight::Seen { state: State::Stopped, .. }, host) => {
            let cause = if host.is_some() { Cause::Stopped } else { Cause::Dead };
            Some((cause, format!("{name} was stopped, and not by the platform")))
        }
        (_, Some(host)) if host.standing == Standing::Lost && lost.is_some_and(|ago| ago >= LOST) => {
            let ago = wording::duration(lost.unwrap_or_default());
            Some((Cause::Lost, format!("nothing was heard of {name} for so long that it was lost {ago} ago")))
        }
        (Sight::Unseen, None) if age >= UNANSWERED => {
            Some((Cause::Dead, format!("{name} was not seen within {}", wording::duration(UNANSWERED))))
        }
        (Sight::Seen { state, .. }, None) if up >= boot => {
            let within = wording::duration(boot);
            Some(match state {
                State::Pending => (Cause::Dead, format!("{name} did not start within {within}")),
                State::Impaired => {
                    (Cause::Dead, format!("{name} fails the cloud's checks and no host joined from it"))
                }
                _ => (Cause::NeverJoined, format!("{name} runs, and no host joined from it within {within}")),
            })
        }
        _ => None,
    };
    match verdict {
        Some((cause, why)) if deciding.may_replace() => deciding.end(at, cause, why),
        Some((_, why)) => deciding.alarm(Alarm { about: format!("failing {name}"), says: why }),
        None => {}
    }
}

/// Ends what is empty, and what nobody ordered.
pub(super) fn dismiss(deciding: &mut Deciding) {
    for at in 0..deciding.view.instances.len() {
        let instance = &deciding.view.instances[at];
        if let Wish::Drain { cause, .. } = instance.wish
            && instance.is_empty()
            && !stands(instance, Standing::Ready)
            && !stands(instance, Standing::Silent)
        {
            let why = format!("nothing runs on {} any more", instance.name());
            deciding.end(at, cause, why);
        }
        let instance = &deciding.view.instances[at];
        if let (Wish::End { .. }, Some(id)) = (instance.wish, &instance.id) {
            let (id, why) = (id.clone(), "it is to be there no more".to_owned());
            deciding.act(Action::Terminate { id, why });
        }
    }
    strays(deciding);
}

/// Ends strays, one at a time: many at once would rather mean that the database is not the one they were ordered with.
fn strays(deciding: &mut Deciding) {
    let old: Vec<_> =
        deciding.view.strays.iter().filter(|stray| deciding.ago(stray.since) >= STRAY).cloned().collect();
    if old.is_empty() {
        return;
    }
    let count = old.len();
    // What runs there may serve in place of what waits, or of what fails.
    let nothing_waits = deciding.view.waiting.is_empty();
    let mut free: Vec<Stray> = old.into_iter().filter(|stray| !stray.visited && nothing_waits).collect();
    // One that was begun with and still shows is ended again, and no other before.
    let is_new = |stray: &Stray| !deciding.view.dismissed.contains_key(&stray.id);
    free.sort_by_key(is_new);
    let left = free.into_iter().next().map(|stray| (is_new(&stray), stray.id));
    let then = match left {
        Some(_) => "one by one",
        None => "when all replicas have a place and visitors are led to them",
    };
    deciding.alarm(Alarm {
        about: "strays".to_owned(),
        says: format!(
            "{} with the platform's mark and without a launch: ended {then}",
            wording::count(count, "instance")
        ),
    });
    let Some((is_new, id)) = left else { return };
    let why = "it has the platform's mark and nobody ordered it".to_owned();
    if is_new {
        if !deciding.may_replace() {
            return;
        }
        deciding.view.dismissed.insert(id.clone(), deciding.view.now);
        deciding.act(Action::Dismiss { id: id.clone(), why: why.clone() });
    }
    deciding.act(Action::Terminate { id, why });
}

//! Replaces instances that are out of date or due for maintenance, one zone after the other: one is emptied when the others
//! have room for all that it holds. Where they do not, another is started first.

use super::view::{Cause, Instance};
use super::{Action, Alarm, Deciding, grow, shrink};

/// What tells the alarm of an instance that cannot be replaced from others.
pub(super) const NO_REPLACEMENT: &str = "no room to replace";

/// Lets stale instances leave, as far as nothing is lost by it.
pub(super) fn replace(deciding: &mut Deciding) {
    let view = &deciding.view;
    if !view.waiting.is_empty() {
        return;
    }
    let leaves = |instance: &&Instance| instance.wish.cause() == Some(Cause::Stale);
    let under_way = view.instances.iter().find(leaves).map(|instance| instance.pool.zone.clone());
    let stale = |instance: &&Instance| instance.is_wanted() && instance.stale.is_some();
    let next = view.instances.iter().filter(stale).map(|instance| (!instance.due, &instance.pool.zone)).min();
    let Some((undated, next)) = next else { return };
    // Where one of another zone has a date, those under way are the last before it.
    let zone = match under_way {
        Some(zone) if undated || zone == *next => zone,
        Some(_) => return,
        None => next.clone(),
    };
    let here = |at: &usize| {
        let instance = &view.instances[*at];
        instance.pool.zone == zone && stale(&instance) && instance.host.is_some()
    };
    let mut candidates: Vec<usize> = (0..view.instances.len()).filter(here).collect();
    candidates.sort_by_key(|at| {
        let instance = &view.instances[*at];
        (!instance.due, instance.host.as_ref().map(|host| host.holds.count()), instance.launch)
    });
    for at in candidates {
        if !deciding.may_replace() {
            return;
        }
        if shrink::fits_elsewhere(deciding, at, 0) {
            let instance = &deciding.view.instances[at];
            let why = instance.stale.clone().unwrap_or_default();
            deciding.drain(at, Cause::Stale, why);
        } else {
            return make_room(deciding, &zone);
        }
    }
}

/// Starts one more, unless one is on its way.
fn make_room(deciding: &mut Deciding, zone: &str) {
    if deciding.view.instances.iter().any(Instance::is_coming) {
        return;
    }
    // What is started to no end there would be started again at once.
    if !grow::is_fit(deciding, zone) {
        return;
    }
    match grow::pool_of(deciding, zone, None) {
        Some((pool, _)) => {
            let why = "so that an instance whose place another is to take can be emptied".to_owned();
            deciding.act(Action::Launch { pool, why });
        }
        None => deciding.alarm(Alarm {
            about: NO_REPLACEMENT.to_owned(),
            says: format!(
                "instances in {zone} are to be replaced, and there is neither room for what they hold nor for one more: a \
                 higher `max`, or fewer replicas, lets them be replaced"
            ),
        }),
    }
}

//! Lets one instance go when the others have sufficed for a while, without the room that is kept free. It is emptied first, and
//! the next one waits until it has gone. Where zones have become uneven, one more is started in the smaller one before that.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::pool::Pool;
use super::view::{Cause, Instance, Wish};
use super::{Action, Deciding, grow};
use crate::plan::Standing;

/// Drains one that is not needed, if there has been one for long enough.
pub(super) fn shrink(deciding: &mut Deciding) {
    deciding.decision.surplus_since = None;
    if !is_at_rest(deciding) {
        return;
    }
    let headroom = deciding.view.settings.headroom_percent;
    let leaving = candidates(deciding).into_iter().find(|at| fits_elsewhere(deciding, *at, headroom));
    let more = if leaving.is_none() { uneven(deciding) } else { None };
    if leaving.is_none() && more.is_none() {
        return;
    }
    let since = deciding.view.surplus_since.unwrap_or(deciding.view.now);
    if deciding.ago(since) < deciding.view.settings.patience {
        deciding.decision.surplus_since = Some(since);
    } else if let Some(at) = leaving {
        deciding.drain(at, Cause::Surplus, "the others have room for all that runs, and more".to_owned());
    } else if let Some(pool) = more {
        let why = format!("{} has fewer hosts than other zones", pool.zone);
        deciding.act(Action::Launch { pool, why });
    }
}

/// Returns where one more makes zones more even, after which one of the largest can go. Where a zone is as large as it is because
/// that was set, none of it could.
fn uneven(deciding: &mut Deciding) -> Option<Pool> {
    let count = |zone: &String| (grow::wanted(deciding, zone), zone.clone());
    let mut zones: Vec<(u32, String)> = deciding.view.settings.zones.keys().map(count).collect();
    zones.sort();
    let (settings, now) = (&deciding.view.settings, deciding.view.now);
    let free = zones.iter().filter(|(count, zone)| *count > settings.bounds(zone, now).min);
    let most = free.map(|(count, _)| *count).max()?;
    let small: Vec<String> =
        zones.into_iter().filter(|(count, _)| count + 2 <= most).map(|(_, zone)| zone).collect();
    small.into_iter().find_map(|zone| {
        let fit = grow::is_fit(deciding, &zone);
        grow::pool_of(deciding, &zone, None).filter(|_| fit).map(|(pool, _)| pool)
    })
}

/// Tells whether nothing is under way that changes how much room there is.
fn is_at_rest(deciding: &Deciding) -> bool {
    let settled = |instance: &Instance| {
        // One that drains although it should run was drained by hand; one that is silent for a moment has no free room.
        let there = instance.host.as_ref().is_some_and(|host| host.standing != Standing::Lost);
        instance.wish == Wish::Run && there && !instance.notice && instance.stale.is_none()
    };
    let launches = |action: &Action| matches!(action, Action::Launch { .. });
    deciding.view.waiting.is_empty()
        && deciding.view.instances.iter().all(settled)
        && !deciding.decision.actions.iter().any(launches)
}

/// Returns those that could go, the best first: of the zones that have the most, those that may be taken back, the
/// least preferred, the emptiest.
fn candidates(deciding: &Deciding) -> Vec<usize> {
    let view = &deciding.view;
    let mut zones: BTreeMap<&str, u32> = BTreeMap::new();
    for instance in view.instances.iter().filter(|instance| instance.free().is_some()) {
        *zones.entry(&instance.pool.zone).or_default() += 1;
    }
    zones.retain(|zone, count| *count > view.settings.bounds(zone, view.now).min);
    let most = zones.values().max().copied().unwrap_or_default();
    let could = |at: &usize| {
        let instance = &view.instances[*at];
        instance.free().is_some() && zones.get(instance.pool.zone.as_str()) == Some(&most)
    };
    let mut found: Vec<usize> = (0..view.instances.len()).filter(could).collect();
    found.sort_by_key(|at| {
        let instance = &view.instances[*at];
        let holds = instance.host.as_ref().map(|host| host.holds.count());
        (!instance.risk, Reverse(view.settings.rank(&instance.pool)), holds, instance.launch)
    });
    found
}

/// Tells whether the other hosts have room for what one holds, and for a share of all that is claimed beside it.
pub(super) fn fits_elsewhere(deciding: &Deciding, at: usize, headroom_percent: u32) -> bool {
    let view = &deciding.view;
    let mut moving = grow::claimed(view).share(headroom_percent);
    if let Some(host) = &view.instances[at].host {
        moving.extend(&host.holds);
    }
    // What is being emptied already needs the same room.
    for instance in view.instances.iter().filter(|instance| !matches!(instance.wish, Wish::Run)) {
        if let Some(host) = instance.host.as_ref().filter(|host| host.standing != Standing::Lost) {
            moving.extend(&host.holds);
        }
    }
    let others = view.instances.iter().enumerate().filter(|(other, _)| *other != at);
    for room in others.filter_map(|(_, instance)| instance.free()) {
        moving.pour_into(room);
    }
    moving.is_empty()
}

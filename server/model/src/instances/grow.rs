//! Asks for more instances where replicas wait, where too little is kept free, and where a zone has fewer than it should.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::follow::ASKED;
use super::pool::Pool;
use super::room::{Room, Sizes};
use super::settings::Bounds;
use super::view::{Cause, Instance, View, Wish};
use super::{Action, Alarm, Deciding};
use crate::plan::Standing;
use crate::size::Size;
use crate::wording;

/// So many may be on their way at once; more where more are there already.
const COMING: usize = 3;

/// So many instances from which no host came, one after the other, are a reason to wait in a zone.
const FRUITLESS: usize = 2;

/// How long.
const REST: SignedDuration = SignedDuration::from_mins(15);

/// What tells the alarm of zones that are full from others.
pub(super) const FULL: &str = "every zone is full";

/// Asks for what is missing.
pub(super) fn grow(deciding: &mut Deciding) {
    let mut needed = deciding.view.waiting.clone();
    needed.extend(&claimed(&deciding.view).share(deciding.view.settings.headroom_percent));
    for instance in deciding.view.instances.iter().filter(|instance| instance.is_wanted()) {
        if let Some(room) = room_of(instance, &deciding.view) {
            needed.pour_into(room);
        }
    }
    resume(deciding, &mut needed);
    let joined = deciding.view.instances.iter().filter(|instance| instance.host.is_some()).count();
    let mut allowed = COMING.max(joined).saturating_sub(count(&deciding.view, Instance::is_coming));
    // What is asked for later is decided later: it would wait, and what is known by then is not.
    let unasked = |instance: &Instance| instance.wish == Wish::Run && instance.asked_at.is_none();
    allowed = allowed.min(ASKED.saturating_sub(count(&deciding.view, unasked)));
    // What was decided before, for another reason, is room as well.
    for action in deciding.decision.actions.clone() {
        if let Action::Launch { pool, .. } = action {
            allowed = allowed.saturating_sub(1);
            deciding.view.settings.offers(&pool).map(|room| needed.pour_into(room));
        }
    }
    fill_zones(deciding, &mut needed, &mut allowed);
    let why = reason(&deciding.view);
    while allowed > 0
        && let Some(size) = needed.largest()
    {
        if let Some((pool, room)) = next_pool(deciding, size) {
            needed.pour_into(room);
            deciding.act(Action::Launch { pool, why: why.clone() });
            allowed -= 1;
        } else {
            needed.forget(size);
            lament(deciding, size);
        }
    }
}

fn count(view: &View, what: impl Fn(&Instance) -> bool) -> usize {
    view.instances.iter().filter(|instance| what(instance)).count()
}

/// Returns what replicas claim, those that wait included.
pub(super) fn claimed(view: &View) -> Sizes {
    let mut claimed = view.waiting.clone();
    for host in view.instances.iter().filter_map(|instance| instance.host.as_ref()) {
        if host.standing != Standing::Lost {
            claimed.extend(&host.holds);
        }
    }
    claimed
}

/// Returns what is free, or will be. Of a host that was not heard of just now nothing is known to be otherwise.
fn room_of(instance: &Instance, view: &View) -> Option<Room> {
    match &instance.host {
        Some(host) if matches!(host.standing, Standing::Ready | Standing::Silent) => {
            Some(host.offers.beside(&host.holds))
        }
        Some(_) => None,
        None => view.settings.offers(&instance.pool),
    }
}

/// Lets those stay that were about to go because fewer sufficed.
fn resume(deciding: &mut Deciding, needed: &mut Sizes) {
    for at in 0..deciding.view.instances.len() {
        let instance = &deciding.view.instances[at];
        let leaves = matches!(instance.wish, Wish::Drain { cause: Cause::Surplus, .. })
            && !instance.notice
            && !instance.risk;
        let Some(host) = instance.host.as_ref().filter(|host| leaves && host.standing == Standing::Draining)
        else {
            continue;
        };
        let before = needed.count();
        needed.pour_into(host.offers.beside(&host.holds));
        if needed.count() < before {
            let (launch, why) = (instance.launch, "it is needed after all".to_owned());
            deciding.view.instances[at].wish = Wish::Run;
            deciding.act(Action::Resume { launch, why });
        }
    }
}

/// Keeps as many in each zone as were set.
fn fill_zones(deciding: &mut Deciding, needed: &mut Sizes, allowed: &mut usize) {
    let zones: Vec<String> = deciding.view.settings.zones.keys().cloned().collect();
    for zone in zones {
        let min = deciding.view.settings.bounds(&zone, deciding.view.now).min;
        while *allowed > 0 && wanted(deciding, &zone) < min {
            if !is_fit(deciding, &zone) {
                break;
            }
            let Some((pool, room)) = pool_of(deciding, &zone, None) else { break };
            needed.pour_into(room);
            let why = format!("at least {} should be in {zone}", wording::count(min as usize, "instance"));
            deciding.act(Action::Launch { pool, why });
            *allowed -= 1;
        }
    }
}

fn reason(view: &View) -> String {
    match view.waiting.count() {
        0 => format!("so that {} % more than what runs has room", view.settings.headroom_percent),
        1 => "1 replica waits for room".to_owned(),
        n => format!("{n} replicas wait for room"),
    }
}

/// Returns how many of a zone are wanted, those that were decided on just now included.
pub(super) fn wanted(deciding: &Deciding, zone: &str) -> u32 {
    let here = |instance: &Instance| instance.pool.zone == zone && instance.is_wanted();
    u32::try_from(count(&deciding.view, here) + launched(deciding, zone)).unwrap_or(u32::MAX)
}

/// Returns how many may exist in a zone: what its cap is about.
fn existing(deciding: &Deciding, zone: &str) -> u32 {
    let here = |instance: &Instance| instance.pool.zone == zone && instance.may_exist();
    u32::try_from(count(&deciding.view, here) + launched(deciding, zone)).unwrap_or(u32::MAX)
}

fn launched(deciding: &Deciding, zone: &str) -> usize {
    let here = |action: &&Action| matches!(action, Action::Launch { pool, .. } if pool.zone == zone);
    deciding.decision.actions.iter().filter(here).count()
}

/// Returns the pool for one more host that holds a replica of this size: in the zone that has the fewest.
fn next_pool(deciding: &mut Deciding, size: Size) -> Option<(Pool, Room)> {
    let mut zones: Vec<(u32, String)> =
        deciding.view.settings.zones.keys().map(|zone| (wanted(deciding, zone), zone.clone())).collect();
    zones.sort();
    let all_dark = zones.iter().all(|(_, zone)| is_dark(&deciding.view, zone));
    for (_, zone) in zones {
        if (is_dark(&deciding.view, &zone) && !all_dark) || is_barren(deciding, &zone) {
            continue;
        }
        if let Some(found) = pool_of(deciding, &zone, Some(size)) {
            return Some(found);
        }
    }
    None
}

/// Returns the first pool of a zone that lacks nothing, if one more may be there.
pub(super) fn pool_of(deciding: &Deciding, zone: &str, size: Option<Size>) -> Option<(Pool, Room)> {
    let view = &deciding.view;
    let Bounds { max, .. } = view.settings.bounds(zone, view.now);
    if existing(deciding, zone) >= max {
        return None;
    }
    let gives = |pool: &Pool| !view.lacks.iter().any(|lack| lack.covers(pool, view.now));
    let holds = |room: Room| size.is_none_or(|size| room.takes(size) > 0);
    view.settings.pools(zone).find(|(pool, room)| gives(pool) && holds(*room))
}

/// Tells whether what is started in a zone may be expected to join.
pub(super) fn is_fit(deciding: &mut Deciding, zone: &str) -> bool {
    !is_dark(&deciding.view, zone) && !is_barren(deciding, zone)
}

/// Tells whether all hosts of a zone are lost: it is rather the zone that fails, and what is started there would, too.
fn is_dark(view: &View, zone: &str) -> bool {
    let hosts = || {
        let here = view.instances.iter().filter(|instance| instance.pool.zone == zone);
        here.filter_map(|instance| instance.host.as_ref())
    };
    hosts().next().is_some() && hosts().all(|host| host.standing == Standing::Lost)
}

/// Tells whether what was started in a zone came to nothing again and again, and says so.
fn is_barren(deciding: &mut Deciding, zone: &str) -> bool {
    let Some((count, last)) = fruitless(&deciding.view, zone) else { return false };
    let until = wording::duration(REST - deciding.ago(last));
    let says = format!(
        "the last {} in {zone} became no hosts: none is started there for {until}; `paasctl aws:events` says how each \
         ended, and the console output of one of them why",
        wording::count(count, "instance")
    );
    deciding.alarm(Alarm { about: format!("barren {zone}"), says });
    true
}

/// Returns how many that were started in a zone came to nothing, and when the last did, where that is a reason to wait.
fn fruitless(view: &View, zone: &str) -> Option<(usize, Timestamp)> {
    let joined = view.joined.get(zone).copied();
    let ended = view.past.iter().filter(|past| past.zone == *zone && past.cause.is_fruitless());
    let ended = ended.map(|past| past.at);
    let leaving = view.instances.iter().filter(|instance| {
        instance.pool.zone == zone
            && instance.wish.cause().is_some_and(Cause::is_fruitless)
            && instance.host.is_none()
    });
    let leaving = leaving.filter_map(|instance| match instance.wish {
        Wish::End { since, .. } | Wish::Drain { since, .. } => Some(since),
        Wish::Run => None,
    });
    let at: Vec<_> = ended.chain(leaving).filter(|at| joined.is_none_or(|joined| *at > joined)).collect();
    let last = at.iter().max().copied()?;
    (at.len() >= FRUITLESS && view.now.duration_since(last) < REST).then_some((at.len(), last))
}

/// Tells whether nothing can be expected from a zone just now.
pub(super) fn is_unfit(view: &View, zone: &str) -> bool {
    let lacking = |pool: &Pool| view.lacks.iter().any(|lack| lack.covers(pool, view.now));
    is_dark(view, zone)
        || fruitless(view, zone).is_some()
        || view.settings.pools(zone).all(|(pool, _)| lacking(&pool))
}

/// Says why nothing more is started for replicas of a size.
fn lament(deciding: &mut Deciding, size: Size) {
    let view = &deciding.view;
    let fits = view.settings.types.iter().any(|known| known.offers.takes(size) > 0);
    let room = view
        .settings
        .zones
        .keys()
        .any(|zone| existing(deciding, zone) < view.settings.bounds(zone, view.now).max);
    let lacks: BTreeMap<&str, ()> = view
        .lacks
        .iter()
        .filter(|lack| view.now < lack.until)
        .map(|lack| (lack.reason.as_str(), ()))
        .collect();
    let (about, says) = if !fits {
        let says = format!(
            "no type of instance that may be used holds a replica of size {size}; a larger type allows it"
        );
        (format!("no room for {size}"), says)
    } else if !room {
        let says = "every zone has as many instances as it may; a higher `max` allows more".to_owned();
        (FULL.to_owned(), says)
    } else if !lacks.is_empty() {
        let lacks: Vec<&str> = lacks.into_keys().collect();
        let says = format!("the cloud gives no more instances just now: {}", lacks.join("; "));
        (format!("no room for {size}"), says)
    } else {
        (format!("no room for {size}"), "no zone is fit for another instance just now".to_owned())
    };
    deciding.alarm(Alarm { about, says });
}

//! Whether what is known of the cloud may be relied on. A list that is empty, or shorter than failures make it, is rather a
//! wrong list than a lost fleet.

use jiff::SignedDuration;

use super::Alarm;
use super::view::{Instance, Sight, View};
use crate::plan::Standing;
use crate::wording;

/// How old the cloud's last word may be.
const OLD: SignedDuration = SignedDuration::from_mins(2);

/// How long one that is not in the list must have been missing until that is believed.
const MISSING: SignedDuration = SignedDuration::from_mins(3);

/// The same where more are missing than fail at once.
const MANY_MISSING: SignedDuration = SignedDuration::from_mins(10);

/// Returns why nothing may be begun, if so.
pub(super) fn doubt(view: &View) -> Option<Alarm> {
    let alarm = |says: String| Some(Alarm { about: "trust".to_owned(), says });
    let because = view.untold.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    match view.told_at.map(|told| view.now.duration_since(told)) {
        None => {
            return alarm(format!(
                "the cloud has not said yet which instances there are, so that nothing is begun{because}"
            ));
        }
        Some(ago) if ago > OLD => {
            let ago = wording::duration(ago);
            return alarm(format!(
                "the cloud has not said for {ago} which instances there are, so that nothing is begun{because}"
            ));
        }
        Some(_) => {}
    }
    if view.cut_off {
        return alarm("too few hosts are heard of at once: no instance is started or ended".to_owned());
    }
    let known = || view.instances.iter().filter(|instance| was_seen(instance));
    let (of, missing) = (known().count(), known().filter(|instance| since(instance).is_some()).count());
    let many = missing > 0 && (missing == of || missing > (of / 3).max(1));
    let settled = known().all(|instance| is_gone(instance, view, MANY_MISSING) || since(instance).is_none());
    if many && !settled {
        return alarm(format!(
            "{missing} of {of} instances are missing at once from the cloud's list: the list is probably wrong, so nothing \
             is begun; if they are gone indeed, this is believed after {}",
            wording::duration(MANY_MISSING)
        ));
    }
    None
}

/// Tells whether one that is missing is believed to be gone: for long enough, and nothing is heard of it either.
pub(super) fn is_vanished(instance: &Instance, view: &View) -> bool {
    is_gone(instance, view, MISSING)
}

fn is_gone(instance: &Instance, view: &View, after: SignedDuration) -> bool {
    let heard = instance.host.as_ref().is_some_and(|host| host.standing != Standing::Lost);
    since(instance).is_some_and(|since| view.now.duration_since(since) >= after) && !heard
}

fn was_seen(instance: &Instance) -> bool {
    !matches!(instance.seen, Sight::Unseen)
}

fn since(instance: &Instance) -> Option<jiff::Timestamp> {
    match instance.seen {
        Sight::Missing { since } => Some(since),
        _ => None,
    }
}

//! What was decided about the fleet: how many hosts, of which types, when; and what was done about it. Administrators only.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::cost::Costs;
use model::instances::{BadChange, Change, InstanceType, Schedule, Settings};
use serde_json::{Value, json};
use store::{Db, FleetEvent};

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;
use super::fields::{self, Fields};
use crate::costs;
use crate::fleet_source::FleetSource;

/// Events when nobody says how many, and most events.
const EVENTS: u32 = 100;
const EVENTS_MAX: u32 = 1000;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let (source, name) = match &call.platform.options.fleet {
        FleetSource::None => ("none", None),
        FleetSource::Aws(name) => ("aws", Some(name.to_string())),
    };
    let mut shown = json!({ "source": source, "name": name, "settings": null });
    if let Some(costs) = costs::find(&call.platform, &mut db).await? {
        shown["settings"] = settings(&call, &mut db, &costs).await?;
    }
    Ok(Answer::ok(shown))
}

/// Returns the settings, with what follows from them now.
async fn settings(call: &Call, db: &mut Db, costs: &Costs) -> Result<Value, ApiError> {
    let (settings, prices, now) = (&costs.settings, &call.platform.options.prices, Timestamp::now());
    let mut hosts: BTreeMap<String, u32> = BTreeMap::new();
    for launch in store::list_launches(db).await?.into_iter().filter(|launch| launch.instance.is_some()) {
        *hosts.entry(launch.pool.zone).or_default() += 1;
    }
    let zone = |zone: &String| {
        let (set, bounds) = (settings.zones[zone], settings.bounds(zone, now));
        let here = hosts.get(zone).copied().unwrap_or_default();
        json!({ "name": zone, "min": set.min, "max": set.max, "min_now": bounds.min, "hosts": here })
    };
    let kind = |known: &InstanceType| {
        json!({
            "name": known.name,
            "memory_mb": known.offers.memory_mb,
            "cpu_millicores": known.offers.cpu_millicores,
            "per_month": costs.host(&known.name, prices).ok(),
        })
    };
    Ok(json!({
        "zones": settings.zones.keys().map(zone).collect::<Vec<_>>(),
        "types": settings.types.iter().map(kind).collect::<Vec<_>>(),
        "spot": settings.spot,
        "headroom_percent": settings.headroom_percent,
        "patience_seconds": settings.patience.as_secs(),
        "boot_seconds": settings.boot.as_secs(),
        "replaced_per_hour": settings.replaced_per_hour,
        "schedules": settings.schedules.iter().map(|schedule| shown_schedule(schedule, now)).collect::<Vec<_>>(),
        "at_least_per_month": costs.estimate(prices).map(|estimate| estimate.at_least).ok(),
        "at_most_per_month": costs.at_most(prices).ok(),
        "cap_per_month": costs.caps.get(&None),
    }))
}

fn shown_schedule(schedule: &Schedule, now: Timestamp) -> Value {
    json!({
        "when": schedule.when,
        "time_zone": schedule.time_zone,
        "min": schedule.min,
        "on": schedule.is_on(now),
    })
}

/// Changes what is named and leaves the rest, all of it or nothing.
pub(super) async fn change(call: Call) -> Result<Answer, ApiError> {
    let changes = changes(&call.fields)?;
    let mut tx = call.write().await?;
    let before = decided(&call, &mut tx).await?;
    let after = changed(&before, changes)?;
    after.judge(&before, &call.platform.options.prices)?;
    cloud::set_settings(&mut tx, &after.settings).await?;
    let shown = settings(&call, &mut tx, &after).await?;
    commit(tx).await?;
    call.platform.wished();
    Ok(Answer::ok(shown).noting("changes", Value::Object(call.fields.0)))
}

/// Says what changes would cost, and changes nothing.
pub(super) async fn quote(call: Call) -> Result<Answer, ApiError> {
    let changes = changes(&call.fields)?;
    let before = decided(&call, &mut *call.read().await?).await?;
    let after = changed(&before, changes)?;
    let prices = &call.platform.options.prices;
    let range = |costs: &Costs| Some((costs.estimate(prices).ok()?.at_least, costs.at_most(prices).ok()?));
    let says = range(&before).zip(range(&after)).filter(|(was, is)| was != is).map(|(was, is)| {
        let (least, most, before_least, before_most) = (is.0, is.1, was.0, was.1);
        let cap = after.caps.get(&None).filter(|cap| **cap < most);
        let held = cap.map(|cap| format!(", which the cap holds at {cap}")).unwrap_or_default();
        format!(
            "The fleet costs {least} a month at least and {most} at most{held}; it was {before_least} and {before_most}."
        )
    });
    Ok(Answer::ok(json!({ "says": says })))
}

/// Returns what is decided, where there is a fleet.
pub(super) async fn decided(call: &Call, db: &mut Db) -> Result<Costs, ApiError> {
    if !call.platform.options.fleet.is_some() {
        return Err(ApiError::conflict(
            "this platform has no fleet; its hosts are added by `paasctl hosts:add`",
        )
        .hint("`paasd serve --fleet aws` gives it one"));
    }
    let found = costs::find(&call.platform, db).await?;
    found.ok_or_else(|| {
        ApiError::conflict("nothing was decided about the fleet yet").hint(
            "the server does so when it first reaches the cloud; `paasctl aws:events` and its log tell more",
        )
    })
}

fn changed(before: &Costs, changes: Vec<Change>) -> Result<Costs, ApiError> {
    let taken = changes.into_iter().try_fold(before.settings.clone(), Settings::changed);
    let settings = taken.map_err(|error| {
        let hint = match error {
            BadChange::MinAboveMax { .. } => "say both: `paasctl hosts:bounds --min 1 --max 3`",
            BadChange::ScheduleAboveMax { .. } => "`paasctl hosts:bounds --max N` allows more",
            BadChange::NoSchedule(_) => "`paasctl hosts:schedule` lists them",
            _ => "`paasctl hosts:fleet` shows what holds now",
        };
        ApiError::invalid(error.to_string()).hint(hint)
    })?;
    Ok(Costs { settings, ..before.clone() })
}

/// Reads what is to change.
fn changes(fields: &Fields) -> Result<Vec<Change>, ApiError> {
    let mut changes = Vec::new();
    let (min, max) = (small(fields, "min")?, small(fields, "max")?);
    if min.is_some() || max.is_some() {
        changes.push(Change::Bounds { zone: fields.text("zone")?, min, max });
    }
    if let Some(types) = fields.get("types") {
        changes.push(Change::Types(types_of(types)?));
    }
    changes.extend(fields.flag("spot")?.map(Change::Spot));
    changes.extend(small(fields, "headroom_percent")?.map(Change::Headroom));
    let patience = |seconds: u32| Change::Patience(SignedDuration::from_secs(seconds.into()));
    changes.extend(small(fields, "patience_seconds")?.map(patience));
    let boot = |seconds: u32| Change::Boot(SignedDuration::from_secs(seconds.into()));
    changes.extend(small(fields, "boot_seconds")?.map(boot));
    changes.extend(small(fields, "replaced_per_hour")?.map(Change::ReplacedPerHour));
    if let Some(schedule) = object(fields, "schedule")? {
        let min = small(&schedule, "min")?.ok_or_else(|| ApiError::invalid("`schedule.min` is missing"))?;
        let zone = schedule.text("time_zone")?.unwrap_or_else(|| "UTC".to_owned());
        let new = Schedule::new(when(&schedule)?, &zone, min).map_err(ApiError::invalid)?;
        changes.push(Change::Schedule(new));
    }
    if let Some(gone) = object(fields, "unschedule")? {
        changes.push(Change::Unschedule { when: when(&gone)?, time_zone: gone.text("time_zone")? });
    }
    if changes.is_empty() {
        return Err(ApiError::invalid("nothing is said that could be changed").hint(
            "it is `min` and `max` (with `zone`, or for all), `types`, `spot`, `headroom_percent`, \
             `patience_seconds`, `boot_seconds`, `replaced_per_hour`, `schedule` or `unschedule`",
        ));
    }
    Ok(changes)
}

fn when(fields: &Fields) -> Result<model::instances::Hours, ApiError> {
    let text = fields.required("when")?;
    text.parse().map_err(|error: model::instances::BadHours| ApiError::invalid(error.to_string()))
}

fn types_of(value: &Value) -> Result<Vec<InstanceType>, ApiError> {
    let wrong = || ApiError::invalid("`types` must be a list of names such as m7g.large");
    let read = |value: &Value| {
        let text = fields::text("types", value).map_err(|_| wrong())?;
        text.parse().map_err(|error: model::instances::BadType| ApiError::invalid(error.to_string()))
    };
    value.as_array().ok_or_else(wrong)?.iter().map(read).collect()
}

fn object(fields: &Fields, name: &str) -> Result<Option<Fields>, ApiError> {
    let read = |value: &Value| match value {
        Value::Object(object) => Ok(Fields(object.clone())),
        _ => Err(ApiError::invalid(format!("`{name}` must be an object"))),
    };
    fields.get(name).map(read).transpose()
}

fn small(fields: &Fields, name: &str) -> Result<Option<u32>, ApiError> {
    let fit = |number: u64| {
        u32::try_from(number).map_err(|_| ApiError::invalid(format!("`{name}` is much too large")))
    };
    fields.number(name)?.map(fit).transpose()
}

/// The newest events, the newest first.
pub(super) async fn events(call: Call) -> Result<Answer, ApiError> {
    let max = match call.query.get("max") {
        Some(text) => text.parse().map_err(|_| ApiError::invalid("`max` must be a number"))?,
        None => EVENTS,
    };
    let events = store::list_fleet_events(&mut *call.read().await?, max.clamp(1, EVENTS_MAX)).await?;
    Ok(Answer::ok(events.iter().map(shown_event).collect::<Vec<Value>>().into()))
}

fn shown_event(event: &FleetEvent) -> Value {
    json!({
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "about": event.about,
        "message": event.message,
    })
}

//! What the platform and each app cost a month, and what they may: bills of what is there, shares of what is wanted.

use std::collections::BTreeMap;

use model::cost::{Bill, Costs, Line, Money, NoPrice, Prices};
use model::formation::Formation;
use model::id::AppId;
use model::instances::{Lifecycle, Pool};
use serde_json::{Value, json};
use store::Launch;

use super::answer::Answer;
use super::call::{Call, commit};
use super::error::ApiError;
use super::fleet::decided;
use super::formation::updates;
use crate::costs;
use crate::deploy;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let Some(costs) = costs::find(&call.platform, &mut db).await? else {
        return Ok(Answer::ok(json!({ "fleet": call.platform.options.fleet.is_some() })));
    };
    let launches = store::list_launches(&mut db).await?;
    let prices = &call.platform.options.prices;
    let bill = bill(&costs, &launches, prices);
    let estimate = costs.estimate(prices);
    let mut apps: Vec<(Option<Money>, Value)> = Vec::new();
    for (id, (name, formation)) in &costs.apps {
        let share = costs.formation(formation, prices).ok();
        let cap = costs.caps.get(&Some(*id));
        apps.push((share, json!({ "name": name, "per_month": share, "cap_per_month": cap })));
    }
    apps.sort_by_key(|(share, _)| std::cmp::Reverse(*share));
    let unknown = [bill.as_ref().err(), estimate.as_ref().err()].into_iter().flatten().next();
    let (bill, estimate) = (bill.as_ref().ok(), estimate.as_ref().ok());
    Ok(Answer::ok(json!({
        "fleet": true,
        "prices": { "source": prices.source, "date": prices.date },
        "unknown": unknown.map(ToString::to_string),
        "lines": bill.map(|bill| bill.lines.iter().map(line).collect::<Vec<_>>()),
        "per_month": bill.map(Bill::per_month),
        "apps": apps.into_iter().map(|(_, app)| app).collect::<Vec<_>>(),
        "committed_per_month": estimate.map(|estimate| estimate.committed()),
        "at_most_per_month": costs.at_most(prices).ok(),
        "cap_per_month": costs.caps.get(&None),
    })))
}

fn line(line: &Line) -> Value {
    json!({
        "what": line.what,
        "count": line.count,
        "each_per_month": line.each_per_month,
        "per_month": line.per_month(),
    })
}

/// Returns what is paid for now: what the fleet stands on, and the instances that the cloud gave.
fn bill(costs: &Costs, launches: &[Launch], prices: &Prices) -> Result<Bill, NoPrice> {
    let (region, known) = costs.region(prices)?;
    let mut bill = costs.ground.bill(known);
    let mut there: BTreeMap<(&str, Lifecycle), u64> = BTreeMap::new();
    for Pool { instance_type, lifecycle, .. } in
        launches.iter().filter(|one| one.instance.is_some()).map(|one| &one.pool)
    {
        *there.entry((instance_type, *lifecycle)).or_default() += 1;
    }
    for ((name, lifecycle), count) in &there {
        let hour = known.instances.get(*name);
        let hour = hour.ok_or_else(|| NoPrice::Type((*name).to_owned(), region.to_owned()))?;
        let what = match lifecycle {
            Lifecycle::OnDemand => format!("host {name}"),
            // Their price changes by the hour; on demand it is never less.
            Lifecycle::Spot => format!("host {name}, spot, at most"),
        };
        bill.hourly(what, *count, *hour);
    }
    costs.ground.add_hosts(&mut bill, there.values().sum(), known);
    Ok(bill)
}

/// What one app costs, by process type.
pub(super) async fn of_app(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let app = call.app();
    let Some(costs) = costs::find(&call.platform, &mut db).await? else {
        return Ok(Answer::ok(json!({ "fleet": call.platform.options.fleet.is_some(), "app": app.name })));
    };
    let prices = &call.platform.options.prices;
    let formation = store::find_formation(&mut db, app.id).await?;
    let whole = costs.formation(&formation, prices);
    let types = formation.iter().map(|(process, scale)| {
        let own = Formation::from([(process.clone(), *scale)]);
        json!({
            "type": process,
            "quantity": scale.quantity,
            "size": scale.size,
            "per_month": costs.formation(&own, prices).ok(),
        })
    });
    let preferred = costs.settings.types.first();
    Ok(Answer::ok(json!({
        "fleet": true,
        "app": app.name,
        "unknown": whole.as_ref().err().map(ToString::to_string),
        "types": types.collect::<Vec<_>>(),
        "host_type": preferred.map(|known| &known.name),
        "host_per_month": preferred.and_then(|known| costs.host(&known.name, prices).ok()),
        "per_month": whole.ok(),
        "cap_per_month": costs.caps.get(&Some(app.id)),
    })))
}

/// Says what another formation would cost, and changes nothing.
pub(super) async fn quote(call: Call) -> Result<Answer, ApiError> {
    let updates = updates(&call.fields)?;
    let mut db = call.read().await?;
    let (app, prices) = (call.app(), &call.platform.options.prices);
    let before = store::find_formation(&mut db, app.id).await?;
    let after = deploy::updated(app, &before, &updates)?;
    let Some(costs) = costs::find(&call.platform, &mut db).await? else {
        return Ok(Answer::ok(json!({ "says": null })));
    };
    let says = match (costs.formation(&before, prices), costs.formation(&after, prices)) {
        (Ok(was), Ok(is)) if is != was => {
            let (verb, difference) = if is > was { ("Adds", is - was) } else { ("Saves", was - is) };
            let name = &app.name;
            Some(format!("{verb} {difference} a month: the share of {name} goes from {was} to {is}."))
        }
        _ => None,
    };
    Ok(Answer::ok(json!({ "says": says })))
}

/// Sets what an app, or the platform, may cost a month; null takes the cap away. What costs more already goes on.
pub(super) async fn cap(call: Call) -> Result<Answer, ApiError> {
    let cap = match call.fields.0.get("per_month") {
        None => return Err(ApiError::invalid("`per_month` is missing; null takes a cap away")),
        Some(Value::Null) => None,
        Some(_) => Some(call.fields.required("per_month")?.parse::<Money>().map_err(ApiError::invalid)?),
    };
    let name = call.fields.text("app")?;
    let mut tx = call.write().await?;
    let costs = decided(&call, &mut tx).await?;
    let app = match &name {
        Some(name) => Some(store::find_app(&mut tx, name).await?.ok_or_else(|| ApiError::not_found("app"))?),
        None => None,
    };
    let spent = spent(&costs, app.as_ref().map(|app| app.id), &call.platform.options.prices);
    // A cap that nobody can hold is none.
    let spent = if cap.is_some() { Some(spent.map_err(model::cost::Beyond::from)?) } else { spent.ok() };
    store::set_cap(&mut tx, app.as_ref().map(|app| app.id), cap).await?;
    commit(tx).await?;
    call.platform.wished();
    let shown = json!({ "app": name, "cap_per_month": cap, "per_month": spent });
    let noted = cap.map(|cap| cap.to_string());
    let answer = Answer::ok(shown).noting("per_month", noted);
    Ok(match &app {
        Some(app) => answer.about(app),
        None => answer,
    })
}

fn spent(costs: &Costs, app: Option<AppId>, prices: &Prices) -> Result<Money, NoPrice> {
    match app {
        Some(app) => costs.app(app, prices),
        None => Ok(costs.estimate(prices)?.committed()),
    }
}

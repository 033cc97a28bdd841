//! `cost:cap`: what an app, or the platform, may cost a month.

use model::cost::Money;
use model::name::AppName;
use serde_json::json;

use super::OWN_MACHINES;
use crate::api::fleet::Cost;
use crate::api::{Api, read};
use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Set what may be paid a month (administrators only)
///
/// It is for an app or, without one, for the platform. What would cost more is refused, and the fleet starts no host beyond the platform's cap. What costs more already goes
/// on, and can only become less. Without an amount it shows the caps.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl cost:cap shop 50
  shop may cost $50.00 a month; it is at $17.86.
  $ paasctl cost:cap 300
  The platform may cost $300.00 a month; it is at $93.79.
  $ paasctl cost:cap shop none
  shop has no cap.")]
pub(crate) struct Cap {
    /// The app; without one it is the platform's
    app: Option<String>,

    /// Dollars a month, or none
    amount: Option<String>,

    #[command(flatten)]
    json: JsonOption,
}

/// What is said about whose cap: the amount, and how it was written, which is exact.
struct Wish<'a> {
    app: Option<AppName>,
    cap: Option<(Money, &'a str)>,
}

impl Cap {
    /// Sets it, or shows the caps.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let Some(Wish { app, cap }) = self.wish()? else { return self.show(context, &api) };
        let per_month = cap.map(|(_, said)| said);
        let cap = cap.map(|(cap, _)| cap);
        let body = api.patch("/cost", &json!({ "app": app, "per_month": per_month }))?.body;
        let cost: Cost = read(&body)?;
        let whose = app.as_ref().map_or("The platform", AppName::as_str);
        context.screen.say(&match (cap, cost.per_month) {
            (None, _) => format!("{whose} has no cap."),
            (Some(cap), Some(spent)) if spent > cap => format!(
                "{whose} may cost {cap} a month. It is at {spent}: what runs goes on, and can only become less."
            ),
            (Some(cap), spent) => {
                let spent = spent.map(|spent| format!("; it is at {spent}")).unwrap_or_default();
                format!("{whose} may cost {cap} a month{spent}.")
            }
        });
        self.json.print(context, &body)
    }

    fn wish(&self) -> Result<Option<Wish<'_>>> {
        let (app, amount) = match (&self.app, &self.amount) {
            (None, _) => return Ok(None),
            (Some(amount), None) => (None, amount),
            (Some(app), Some(amount)) => {
                let named = app.parse().map_err(|error| Error::usage(format!("{error}")))?;
                (Some(named), amount)
            }
        };
        let cap = match amount.as_str() {
            "none" => None,
            amount => {
                let read = amount.parse::<Money>().map_err(|error| {
                    Error::usage(error).hint("`paasctl cost:cap shop 50` or `paasctl cost:cap shop none`.")
                })?;
                Some((read, amount))
            }
        };
        Ok(Some(Wish { app, cap }))
    }

    fn show(&self, context: &Context, api: &Api) -> Result<()> {
        let body = api.get("/cost")?;
        let cost: Cost = read(&body)?;
        let screen = &context.screen;
        if self.json.json {
            let capped = |app: &&serde_json::Value| !app["cap_per_month"].is_null();
            let apps: Vec<_> = body["apps"].as_array().into_iter().flatten().filter(capped).collect();
            return screen.json(&json!({ "cap_per_month": body["cap_per_month"], "apps": apps }));
        }
        if !cost.fleet {
            screen.say(OWN_MACHINES);
            return Ok(());
        }
        match cost.cap_per_month {
            Some(cap) => screen.print(&format!("The platform may cost {cap} a month."))?,
            None => screen.say("The platform has no cap; `paasctl cost:cap 300` sets one."),
        }
        let capped = cost.apps.iter().filter_map(|app| Some((&app.name, app.cap_per_month?)));
        capped
            .into_iter()
            .try_for_each(|(name, cap)| screen.print(&format!("{name} may cost {cap} a month.")))
    }
}

//! `logs`: what apps, the router and the platform wrote, in one ordered stream.

use jiff::{SignedDuration, Timestamp};
use model::name::AppName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::log_line::LogLine;
use crate::api::{Api, read};
use crate::context::{AppOption, Context, JsonOption};
use crate::error::{Error, Kind, Result};
use crate::lines;
use crate::wait;
use crate::when::parse_duration;

/// Show the log of an app
///
/// It holds what replicas write, a line for each request (router) and what the platform did, in one order.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl logs -n 2 --source app --ps web.1 -a shop
  2026-01-02T03:04:05.678901+00:00 app[web.1]: Listening on 5042
  2026-01-02T03:04:06.012345+00:00 app[web.1]: GET / 200
  $ paasctl logs --tail -a shop")]
pub(crate) struct Logs {
    /// How many lines at most
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    lines: u32,

    /// Go on with new lines until Ctrl-C
    #[arg(short, long)]
    tail: bool,

    /// Only of a process type or replica: web or web.1
    #[arg(short, long, value_name = "TYPE|REPLICA", visible_alias = "dyno")]
    ps: Option<String>,

    /// Only from app, router or platform
    #[arg(short, long, value_name = "SOURCE", value_parser = ["app", "router", "platform"])]
    source: Option<String>,

    /// Only younger than this, such as 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    since: Option<SignedDuration>,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

/// Between two streams of which the first brought nothing.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Deserialize)]
struct Session {
    logplex_url: String,
}

impl Logs {
    /// Copies the lines, and takes a broken stream up again where it broke off.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let since = self.since.map(|since| context.screen.now() - since);
        let mut count = 0_u64;
        let mut last: Option<Timestamp> = None;
        let mut body = self.body(since);
        loop {
            let before = count;
            let ended = self.copy(context, &api, &app, &body, &mut |at| {
                count += 1;
                last = at.or(last);
            });
            match ended {
                Ok(()) if !self.tail => break,
                Err(error) if !self.tail || error.kind != Kind::Unreachable => return Err(error),
                _ => {}
            }
            context.screen.say("The stream ended; taking it up again.");
            if count == before {
                std::thread::sleep(PAUSE);
            }
            body = self.body(Some(last.map_or_else(|| context.screen.now(), just_after)));
        }
        if count == 0 {
            context.screen.say(&format!("{app} has no such log lines."));
        }
        Ok(())
    }

    fn body(&self, since: Option<Timestamp>) -> Value {
        let mut body = json!({ "lines": self.lines, "tail": self.tail });
        if let Some(ps) = &self.ps {
            body["dyno"] = json!(ps);
        }
        if let Some(source) = &self.source {
            body["source"] = json!(source);
        }
        if let Some(since) = since {
            body["since"] = json!(since.to_string());
        }
        body
    }

    fn copy(
        &self,
        context: &Context,
        api: &Api,
        app: &AppName,
        body: &Value,
        seen: &mut dyn FnMut(Option<Timestamp>),
    ) -> Result<()> {
        let path = format!("/apps/{app}/log-sessions");
        let limit = std::time::Duration::from_secs(60);
        let opened = wait::until(&context.screen, limit, || {
            let session: Session = read(&api.post(&path, body)?.body)?;
            api.lines_of(&session.logplex_url).map(Some)
        })?;
        let stream = opened.ok_or_else(|| Error::failed("the server opens no log stream"))?;
        lines::each(stream, |text| {
            let line = LogLine::parse(text);
            seen(line.as_ref().and_then(|line| line.at));
            match (self.json.json, line) {
                (true, Some(line)) => context.screen.print(&line.json().to_string()),
                (true, None) => context.screen.print(&json!({ "text": text }).to_string()),
                (false, Some(line)) => context.screen.print(&line.painted(&context.screen)),
                (false, None) => context.screen.print(&lines::shown(&context.screen, text)),
            }
        })
    }
}

/// Follows the log of one replica from its beginning.
pub(super) fn tail_of(context: &Context, app: &AppName, replica: &str) -> Result<()> {
    let logs = Logs {
        lines: 1_000,
        tail: true,
        ps: Some(replica.to_owned()),
        source: None,
        since: None,
        app: AppOption { app: Some(app.clone()) },
        json: JsonOption::default(),
    };
    logs.run(context)
}

/// Lines carry microseconds, so this is the next that may be new.
fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at)
}

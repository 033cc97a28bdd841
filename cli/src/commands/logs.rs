//! `logs`: what apps, the router and the platform wrote, in one ordered stream.

use jiff::{SignedDuration, Timestamp};
use model::name::AppName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::log_line::Sent;
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
        let body = self.body(self.since.map(|since| context.screen.now() - since));
        let mut seen = Seen::default();
        loop {
            let before = seen.lines;
            match self.copy(context, &api, &app, &body, &mut seen) {
                Ok(()) if !self.tail => break,
                Err(error) if seen.position.is_some() && error.not_found().is_some() => {
                    return Err(wait::gone(error));
                }
                Err(error) if !self.tail || error.kind != Kind::Unreachable => return Err(error),
                _ => {}
            }
            context.screen.say("The stream ended; taking it up again.");
            if seen.lines == before {
                std::thread::sleep(PAUSE);
            }
        }
        if seen.lines == 0 && self.lines > 0 {
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

    fn copy(&self, context: &Context, api: &Api, app: &AppName, body: &Value, seen: &mut Seen) -> Result<()> {
        let path = format!("/apps/{app}/log-sessions");
        let limit = std::time::Duration::from_secs(60);
        let opened = wait::until(&context.screen, limit, || {
            let session: Session = read(&api.post(&path, body)?.body)?;
            api.objects_of(&session.logplex_url, seen.position.as_deref()).map(Some)
        })?;
        let stream = opened.ok_or_else(|| Error::failed("the server opens no log stream"))?;
        lines::each(stream, |text| match serde_json::from_str(text) {
            Ok(sent) => self.show(context, sent, seen),
            // An empty line says that the server is still there.
            Err(_) if text.is_empty() => Ok(()),
            Err(_) => {
                Err(Error { kind: Kind::Unreachable, ..Error::failed("the stream broke off in a line") })
            }
        })
    }

    fn show(&self, context: &Context, sent: Sent, seen: &mut Seen) -> Result<()> {
        match sent {
            Sent::Line { line, position } => {
                seen.lines += 1;
                seen.position = Some(position);
                match self.json.json {
                    true => context.screen.print(&serde_json::to_string(&line).unwrap_or_default()),
                    false => context.screen.print(&line.painted(&context.screen)),
                }
            }
            Sent::Skipped { skipped } => match self.json.json {
                true => context.screen.print(&json!({ "skipped": skipped }).to_string()),
                false => context.screen.print(&format!("({skipped})")),
            },
            Sent::Place { position } => {
                seen.position = Some(position);
                Ok(())
            }
        }
    }
}

/// What came so far, over all connections.
#[derive(Default)]
struct Seen {
    lines: u64,
    /// Where the server is to go on.
    position: Option<String>,
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

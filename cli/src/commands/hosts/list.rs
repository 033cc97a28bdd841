//! `hosts`: the machines, how they stand, and how much room each has.

use model::wording;
use serde_json::Value;

use super::{CORE, GIGABYTE, kind, of, tone};
use crate::api::host::Host;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};
use crate::when;

/// Most hosts that are seen at a glance.
const GLANCE: usize = 20;

/// List the hosts, their zones and their room
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl hosts
  HOST   ZONE  STATE     REPLICAS  FREE GB     FREE CORES  VERSION  SEEN
  app-1  a     ready     4         1.5 of 3.5  1.6 of 2    0.1.0    just now
  app-2  b     silent    3         2 of 3.5    1.7 of 2    0.1.0    6 s ago
    nothing was heard of it for 6 s; no new request goes there

Where hosts are instances that the server starts, what each is doing is shown, too:
  HOST                 ZONE        STATE    REPLICAS  FREE GB     FREE CORES  VERSION  INSTANCE         SEEN
  i-0b1d52c6f4a7e8039  us-east-1a  ready    4         1.5 of 3.4  1 of 2      0.1.0    t3.medium        just now
  i-07c9e2d4b8f6a1350  us-east-1b  booting  0                                          t3.medium, spot")]
pub(crate) struct List {
    #[command(flatten)]
    json: JsonOption,
    /// Only those in this state: ready, draining, silent, lost or returning; of instances, asked, booting or ending
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those in this zone
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

impl List {
    /// Prints them, and what the server thinks of itself if it hears of too few.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let api = context.api()?;
        let mut body = api.all("/hosts")?;
        if let Value::Array(hosts) = &mut body {
            hosts.retain(|host| self.is_asked_for(host));
        }
        if self.json.json {
            return context.screen.json(&body);
        }
        context.screen.print(&table(&context.screen, &body)?)?;
        if let Some(doubt) = api.get("/platform")?["doubt"].as_str() {
            context.screen.say(&wording::sentence(doubt));
        }
        Ok(())
    }

    fn is_asked_for(&self, host: &Value) -> bool {
        let fits = |field: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| host[field].as_str() == Some(wanted))
        };
        fits("state", &self.state) && fits("zone", &self.zone)
    }
}

/// A reason stands under its host. How many stand how is said where there are too many to see at a glance.
fn table(screen: &Screen, body: &Value) -> Result<String> {
    let hosts: Vec<Host> = read(body)?;
    let has_instances = hosts.iter().any(|host| host.instance.is_some());
    let mut head = vec!["HOST", "ZONE", "STATE", "REPLICAS", "FREE GB", "FREE CORES", "VERSION"];
    head.extend(has_instances.then_some("INSTANCE"));
    head.push("SEEN");
    let mut table = Table::with_columns(&head);
    for host in &hosts {
        let room = |text: String| if host.is_only_instance() { String::new() } else { text };
        let mut row: Vec<Cell> = vec![
            Cell::toned(Tone::Name, &host.name),
            host.zone.clone().into(),
            Cell::toned(tone(&host.state), &host.state),
            host.replicas.to_string().into(),
            room(of(host.memory_free_bytes, host.memory_bytes, GIGABYTE)).into(),
            room(of(host.cpu_free_millicores, host.cpu_millicores, CORE)).into(),
            host.version.clone().unwrap_or_default().into(),
        ];
        row.extend(has_instances.then(|| kind(host).into()));
        row.push(when::ago(screen, host.last_seen_at).into());
        table.row_of(row);
    }
    let rendered = table.render(screen);
    let mut lines: Vec<String> = rendered.lines().take(1).map(str::to_owned).collect();
    for (line, host) in rendered.lines().skip(1).zip(&hosts) {
        lines.push(line.to_owned());
        let reason = host.reason.as_deref().filter(|_| host.state != "ready");
        lines.extend(host.notice.iter().map(|notice| format!("  {}", wording::plain(notice, 300))));
        lines.extend(reason.map(|reason| format!("  {}", wording::plain(reason, 300))));
    }
    if hosts.len() > GLANCE {
        let states = hosts.iter().map(|host| host.state.as_str());
        lines.push(format!("{}: {}", wording::count(hosts.len(), "host"), wording::tally(states)));
    }
    Ok(lines.join("\n"))
}

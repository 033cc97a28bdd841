//! `metrics`: requests, errors, response times, and what replicas use.

use std::fmt::Write as _;

use model::wording;

use crate::api::metrics::{Metrics as Window, ReplicaUse, Requests};
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Table};

/// Most characters of the picture of a window.
const COLUMNS: usize = 60;

/// Show requests, errors, response times, CPU and memory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl metrics -a shop
  Last 60 min ▁▁▂▃▅▇█▅▂▁▁ up to 340 requests a minute

  REQUESTS  2XX    3XX  4XX  5XX  P50     P95    P99
  12345     12200  12   130  3    4.1 ms  45 ms  0.2 s

  REPLICA  CPU   MEAN  MEMORY   MOST     REQUESTS  5XX
  web.1    12 %  9 %   47.0 MB  51.2 MB  12345     3")]
pub(crate) struct Metrics {
    /// How many minutes back; a day is kept
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1440))]
    minutes: u16,

    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Metrics {
    /// Prints the picture and the tables.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, app) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{app}/metrics?minutes={}", self.minutes))?;
        if self.json.json {
            return context.screen.json(&body);
        }
        let window: Window = read(&body)?;
        if window.total.requests == 0 {
            context.screen.say(&format!("No requests in the last {} min.", self.minutes));
        }
        let text = described(&context.screen, &window, self.minutes);
        if !text.is_empty() {
            context.screen.print(&text)?;
        }
        if window.uncounted_minutes > 0 {
            let minutes = wording::count(window.uncounted_minutes, "minute");
            context.screen.say(&format!("A server was killed: of {minutes} requests may be missing."));
        }
        for replica in window.replicas.iter().filter(|replica| replica.missing_minutes > 0) {
            let (name, missing) = (&replica.name, replica.missing_minutes);
            context.screen.say(&format!("For {missing} of the {} min nobody measured {name}.", self.minutes));
        }
        Ok(())
    }
}

fn described(screen: &Screen, window: &Window, minutes: u16) -> String {
    let mut text = String::new();
    if window.total.requests > 0 {
        let counts: Vec<u64> = window.minutes.iter().map(|minute| minute.requests).collect();
        let most = counts.iter().max().copied().unwrap_or_default();
        let picture = screen.paint(Tone::Name, &picture(&counts));
        let _ = write!(text, "Last {minutes} min {picture} up to {most} requests a minute\n\n");
        text.push_str(&requests(screen, &window.total));
    }
    if !window.replicas.is_empty() {
        text.push_str(if text.is_empty() { "" } else { "\n\n" });
        text.push_str(&replicas(screen, &window.replicas));
    }
    text
}

/// Draws counts as a line of blocks. What is more than nothing is higher than nothing.
fn picture(counts: &[u64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let width = counts.len().div_ceil(COLUMNS).max(1);
    // Only the first may hold fewer minutes than the others.
    let columns: Vec<u64> = counts.rchunks(width).rev().map(|part| part.iter().sum()).collect();
    let most = columns.iter().max().copied().unwrap_or_default();
    let block = |count: &u64| match usize::try_from((count * 7).div_ceil(most.max(1))) {
        Ok(height) => BLOCKS[height.min(7)],
        Err(_) => '█',
    };
    columns.iter().map(block).collect()
}

fn requests(screen: &Screen, total: &Requests) -> String {
    let mut table = Table::new(["REQUESTS", "2XX", "3XX", "4XX", "5XX", "P50", "P95", "P99"]);
    let tone = if total.server_error > 0 { Tone::Bad } else { Tone::Plain };
    table.row([
        total.requests.to_string().into(),
        total.success.to_string().into(),
        total.redirect.to_string().into(),
        total.client_error.to_string().into(),
        Cell::toned(tone, total.server_error.to_string()),
        total.p50_ms.map(wording::milliseconds).unwrap_or_default().into(),
        total.p95_ms.map(wording::milliseconds).unwrap_or_default().into(),
        total.p99_ms.map(wording::milliseconds).unwrap_or_default().into(),
    ]);
    table.render(screen)
}

fn replicas(screen: &Screen, replicas: &[ReplicaUse]) -> String {
    let mut table = Table::new(["REPLICA", "CPU", "MEAN", "MEMORY", "MOST", "REQUESTS", "5XX"]);
    for replica in replicas {
        let cpu: Vec<f64> = replica.cpu_percent.iter().flatten().copied().collect();
        #[expect(clippy::cast_precision_loss, reason = "at most a day of minutes")]
        let mean = (!cpu.is_empty()).then(|| cpu.iter().sum::<f64>() / cpu.len() as f64);
        let percent = |share: Option<f64>| share.map(|share| format!("{share:.0} %")).unwrap_or_default();
        let bytes = |bytes: Option<u64>| bytes.map(wording::bytes).unwrap_or_default();
        let sum = |counts: &[u64]| counts.iter().copied().reduce(|sum, count| sum + count);
        let count = |counts: &[u64]| sum(counts).map(|sum| sum.to_string()).unwrap_or_default();
        table.row([
            Cell::toned(Tone::Name, &replica.name),
            percent(replica.cpu_percent.last().copied().flatten()).into(),
            percent(mean).into(),
            bytes(replica.memory_bytes.last().copied().flatten()).into(),
            bytes(replica.memory_bytes.iter().flatten().max().copied()).into(),
            count(&replica.requests).into(),
            count(&replica.errors).into(),
        ]);
    }
    table.render(screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_each_minute_or_as_many_together_as_fit() {
        assert_eq!(picture(&[0, 1, 100, 50]), "▁▂█▅");
        assert_eq!(picture(&[0, 0]), "▁▁");
        assert_eq!(picture(&[]), "");
        assert_eq!(picture(&[1; 1_440]).chars().count(), 60);
        assert_eq!(picture(&[1; 61]).chars().count(), 31);
    }
}

//! One run of wrk against one server.

use crate::peer::Peer;
use crate::scenario::Scenario;
use std::process::Command;
use std::time::Duration;

/// What one run measured.
pub(crate) struct Run {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Median latency in milliseconds.
    pub(crate) p50: f64,
    /// 99th percentile of latency in milliseconds.
    pub(crate) p99: f64,
    /// Processor seconds of the server per 100,000 requests.
    pub(crate) cpu: f64,
    /// Memory of the server after the run, in megabytes.
    pub(crate) memory: f64,
    /// Answers other than 2xx and 3xx, and socket errors.
    pub(crate) failed: u64,
}

/// Asks for one host after another; the requests are made before, so that the client's work is the same for any number.
const SCRIPT: &str = "
local requests, turn = {}, 0
function init(args)
  for n = 0, tonumber(args[1]) - 1 do
    wrk.headers['Host'] = 'app-' .. n .. '.example.org'
    requests[n] = wrk.format()
  end
  turn = math.random(0, #requests)
end
function request()
  turn = (turn + 1) % (#requests + 1)
  return requests[turn]
end
";

/// Runs wrk for `time`.
pub(crate) fn run(peer: &Peer, scenario: &Scenario, time: Duration) -> Run {
    let connections = scenario.connections;
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), SCRIPT).unwrap();
    let before = peer.cpu();
    let output = Command::new("wrk")
        .args(["--latency", &format!("-t{}", connections.min(2)), "-s"])
        .arg(script.path())
        .args([format!("-c{connections}"), format!("-d{}s", time.as_secs())])
        .arg(format!("http://{}/", peer.address))
        .args(["--", &scenario.hosts.to_string()])
        .output()
        .expect("wrk is needed for this benchmark");
    let text = String::from_utf8_lossy(&output.stdout);
    let requests: f64 = field(&text, "requests in", -1).and_then(|n| n.parse().ok()).unwrap_or(1.0);
    Run {
        rate: field(&text, "Requests/sec:", 1).and_then(|n| n.parse().ok()).unwrap_or_default(),
        p50: field(&text, " 50%", 1).and_then(millis).unwrap_or_default(),
        p99: field(&text, " 99%", 1).and_then(millis).unwrap_or_default(),
        cpu: (peer.cpu() - before) / requests * 100_000.0,
        memory: peer.memory(),
        failed: failed(&text),
    }
}

/// Returns the word that follows `label` in its line, or with -1 the line's first word.
fn field<'a>(text: &'a str, label: &str, at: i32) -> Option<&'a str> {
    let line = text.lines().find(|line| line.contains(label))?;
    if at < 0 { line.split_whitespace().next() } else { line.split_whitespace().nth(1) }
}

/// Reads a time such as `1.25ms`.
fn millis(time: &str) -> Option<f64> {
    let (unit, factor) =
        [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)].into_iter().find(|(unit, _)| time.ends_with(unit))?;
    time.strip_suffix(unit)?.parse::<f64>().ok().map(|n| n * factor)
}

fn failed(text: &str) -> u64 {
    let lines = text.lines().filter(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    lines.flat_map(|line| line.split([' ', ','])).filter_map(|word| word.parse::<u64>().ok()).sum()
}

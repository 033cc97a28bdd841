//! Which lines somebody asks for: the fields of the form, read into a query of the log, and written as an address and as
//! the command that shows the same in a terminal.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use logs::{Query, Source};
use serde::Deserialize;

use crate::dashboard::client::Refusal;

/// Lines of a page when nobody says how many.
const LINES: usize = 200;
/// Most lines of a page.
pub(super) const LINES_MAX: usize = 10_000;
/// Lines that are looked through for a text.
pub(super) const SEARCHED: usize = 20_000;
/// Longest text that is looked for, in bytes.
const TEXT_MAX: usize = 200;

/// The fields as they came.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) source: String,
    pub(super) process: String,
    pub(super) lines: String,
    pub(super) since: String,
    pub(super) until: String,
    /// What a line must contain.
    pub(super) q: String,
    /// The place of one line, to be shown with those around it.
    pub(super) at: String,
    /// The position behind which a tail begins.
    pub(super) after: String,
}

/// Which lines are wanted.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) lines: usize,
    source: Option<Source>,
    process: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// In small letters.
    text: String,
}

impl Filter {
    /// Reads the fields.
    ///
    /// # Errors
    /// One says nothing that can be looked for.
    pub(super) fn of(fields: &Fields, now: Timestamp) -> Result<Self, Refusal> {
        let named = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let source = named(&fields.source).map(|word| word.parse::<Source>()).transpose();
        let lines = named(&fields.lines).map_or(Ok(LINES), |text| text.parse::<usize>());
        let lines =
            lines.map_err(|_| Refusal::invalid(format!("the lines are a number up to {LINES_MAX}")))?;
        if fields.q.len() > TEXT_MAX {
            return Err(Refusal::invalid(format!("a text that is looked for has at most {TEXT_MAX} bytes")));
        }
        let time = |text: &str| named(text).map(|text| time(&text, now)).transpose();
        Ok(Self {
            lines: lines.clamp(1, LINES_MAX),
            source: source.map_err(|error| Refusal::invalid(error.to_string()))?,
            process: named(&fields.process),
            since: time(&fields.since)?,
            until: time(&fields.until)?,
            text: fields.q.to_ascii_lowercase(),
        })
    }

    /// Returns the query of the log; a text is looked for in what it brings.
    pub(super) fn query(&self) -> Query {
        let lines = Some(if self.text.is_empty() { self.lines } else { SEARCHED });
        let (since, until, source) = (self.since, self.until, self.source);
        Query { lines, since, until, source, except: None, process: self.process.clone() }
    }

    /// Returns the query of a tail: a line that comes is never too old.
    pub(super) fn tail_query(&self) -> Query {
        Query { lines: None, since: None, ..self.query() }
    }

    /// Tells whether lines may still come.
    pub(super) fn is_open(&self) -> bool {
        self.until.is_none()
    }

    /// Tells whether a text is looked for.
    pub(super) fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Tells whether a line has the text; small and capital letters of English are the same.
    pub(super) fn finds(&self, line: &str) -> bool {
        self.text.is_empty() || line.to_ascii_lowercase().contains(&self.text)
    }
}

impl Fields {
    /// Returns the fields that were filled in as the end of an address.
    pub(super) fn address(&self) -> String {
        let fields = [
            ("source", &self.source),
            ("process", &self.process),
            ("lines", &self.lines),
            ("since", &self.since),
            ("until", &self.until),
            ("q", &self.q),
        ];
        let filled = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let parts: Vec<_> = filled.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }

    /// Tells whether the form asks for less than everything.
    pub(super) fn any(&self) -> bool {
        [&self.source, &self.process, &self.since, &self.until, &self.q].iter().any(|field| !field.is_empty())
    }

    /// Returns what shows the same lines in a terminal; an end is not among what `paasctl` knows.
    pub(super) fn command(&self, app: &str, filter: &Filter, now: Timestamp) -> String {
        let mut command = format!("paasctl logs -a {app}");
        if filter.is_open() {
            command.push_str(" --tail");
        }
        if filter.lines != LINES {
            command.push_str(&format!(" -n {}", filter.lines));
        }
        if let Some(source) = filter.source {
            command.push_str(&format!(" --source {source}"));
        }
        if let Some(process) = &filter.process {
            command.push_str(&format!(" --ps {}", quoted(process)));
        }
        if let Some(since) = filter.since {
            let minutes = now.duration_since(since).as_secs().max(0) / 60 + 1;
            let length = duration(self.since.trim()).map(|_| self.since.trim().to_owned());
            command.push_str(&format!(" --since {}", length.unwrap_or_else(|| format!("{minutes}m"))));
        }
        if filter.has_text() {
            command.push_str(&format!(" | grep -iF -- {}", quoted(&self.q)));
        }
        command
    }
}

/// Reads `10m`, which is so long ago, or a time; one without a zone is in UTC.
fn time(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    if let Some(ago) = duration(text) {
        return now.checked_sub(ago).map_err(|_| Refusal::invalid("that is before all time"));
    }
    let plain = text.trim_end_matches("UTC").trim_end();
    let civil =
        || plain.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    plain.parse().ok().or_else(civil).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        Refusal {
            hint: Some(
                "write 10m, 2h or 3d for so long ago, or a time such as 2026-01-02 03:04 (UTC)".to_owned(),
            ),
            ..Refusal::invalid(format!("`{shown}` is no time"))
        }
    })
}

fn duration(text: &str) -> Option<SignedDuration> {
    let (number, seconds) = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    number
        .parse::<u32>()
        .ok()
        .filter(|number| *number > 0)
        .map(|n| SignedDuration::from_secs(i64::from(n) * seconds))
}

/// Writes a word so that a shell reads it as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Writes a value so that an address can hold it.
pub(super) fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let bytes = value.bytes();
    bytes
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn times_are_lengths_or_moments() {
        let read =
            |text: &str| time(text, now()).map(|time| time.to_string()).map_err(|refusal| refusal.message);
        for (text, expected) in [
            ("10m", "2026-01-02T02:54:05Z"),
            ("2h", "2026-01-02T01:04:05Z"),
            ("2026-01-01 12:30", "2026-01-01T12:30:00Z"),
            ("2026-01-01 12:30:05.5 UTC", "2026-01-01T12:30:05.5Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01T12:30:00+02:00", "2026-01-01T10:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["yesterday", "0m", "-1h", "ü", "2026-13-01", "99999999999d"] {
            assert!(read(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
        assert!(read("4294967295w").is_err());
    }

    #[test]
    fn the_command_shows_the_same_lines() {
        let command = |fields: Fields| {
            let filter = Filter::of(&fields, now()).unwrap();
            fields.command("shop", &filter, now())
        };
        assert_eq!(command(Fields::default()), "paasctl logs -a shop --tail");
        let fields = Fields {
            source: "app".to_owned(),
            process: "web.1".to_owned(),
            lines: "50".to_owned(),
            since: "2026-01-02 02:04".to_owned(),
            q: "it's; rm".to_owned(),
            ..Fields::default()
        };
        assert_eq!(
            command(fields.clone()),
            "paasctl logs -a shop --tail -n 50 --source app --ps web.1 --since 61m | grep -iF -- 'it'\\''s; rm'"
        );
        assert_eq!(
            fields.address(),
            "?source=app&process=web.1&lines=50&since=2026-01-02%2002%3A04&q=it%27s%3B%20rm"
        );
        let ended = Fields { until: "10m".to_owned(), since: "2h".to_owned(), ..Fields::default() };
        assert_eq!(command(ended), "paasctl logs -a shop --since 2h");
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        for fields in [
            Fields { source: "moon".to_owned(), ..Fields::default() },
            Fields { lines: "many".to_owned(), ..Fields::default() },
            Fields { q: "x".repeat(201), ..Fields::default() },
        ] {
            Filter::of(&fields, now()).unwrap_err();
        }
        let most = Fields { lines: "99999999".to_owned(), ..Fields::default() };
        assert_eq!(Filter::of(&most, now()).unwrap().lines, LINES_MAX);
    }
}

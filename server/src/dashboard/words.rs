//! How times, amounts and browsers are put in words.

use jiff::Timestamp;

/// A time for people: how long ago it was, and exactly.
pub(super) struct Moment {
    pub(super) ago: String,
    pub(super) exactly: String,
}

/// Returns both words for a time.
pub(super) fn moment(at: Timestamp) -> Moment {
    Moment { ago: ago(at), exactly: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string() }
}

/// Returns how long ago something was, in one unit.
pub(super) fn ago(at: Timestamp) -> String {
    since(at, Timestamp::now())
}

/// The same for another moment than now.
pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    let (n, unit) = match seconds {
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{n} {unit} ago")
}

/// Returns what a browser is, from what it calls itself: its name and its system, for a list of sessions.
pub(super) fn browser(agent: &str) -> String {
    let first = |known: &[(&str, &str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| (*name).to_owned())
    };
    // Each claims to be those that come after it.
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name,
        _ => "an unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn times_are_told_in_one_unit() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10_000);
        for (seconds, said) in [
            (-3, "just now"),
            (42, "42 s ago"),
            (119, "1 min ago"),
            (47 * 3_600, "47 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(since(now - SignedDuration::from_secs(seconds), now), said);
        }
    }

    #[test]
    fn a_browser_is_told_by_its_own_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser("<script>"), "an unknown browser");
    }
}

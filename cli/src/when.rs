//! Times as people write and read them.

use jiff::{SignedDuration, Timestamp};
use model::wording;

use crate::screen::Screen;

/// Returns how long ago it was, or nothing.
pub(crate) fn ago(screen: &Screen, then: Option<Timestamp>) -> String {
    then.map(|then| wording::ago(then, screen.now())).unwrap_or_default()
}

/// Returns the time in UTC to the second with how long ago it was.
pub(crate) fn exactly(screen: &Screen, then: Option<Timestamp>) -> String {
    let shown =
        |then: Timestamp| format!("{} ({})", then.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(screen, Some(then)));
    then.map(shown).unwrap_or_default()
}

/// Reads a length of time such as `90s`, `10m`, `2h`, `30d` or `4w`.
///
/// # Errors
/// A sentence with examples.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{}` is no length of time; write 90s, 10m, 2h, 30d or 4w", text.escape_debug());
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if number == 0 { Err(wrong()) } else { Ok(SignedDuration::from_secs(i64::from(number) * seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(parse_duration("10m"), Ok(SignedDuration::from_mins(10)));
        assert_eq!(parse_duration("30d"), Ok(SignedDuration::from_hours(720)));
        for bad in ["", "10", "m", "-1h", "0s", "1ü", "99999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}

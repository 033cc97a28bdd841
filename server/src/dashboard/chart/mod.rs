//! Charts over the minutes of a window as inline SVG: where bars, lines and marks lie. The plot stretches to whatever
//! room there is; words beside it do not, since they are placed in percent.

mod numbers;
mod scale;
mod spark;

use std::fmt::Write as _;

pub(super) use numbers::{grouped, short};
pub(super) use scale::{Scale, float};
pub(super) use spark::Spark;

/// The height of the plot, in pixels and in units of its paths; each minute is one unit wide.
pub(super) const HEIGHT: f64 = 100.0;

/// How near the labels of two marks may come, in percent of the width.
const LABEL_PERCENT: f64 = 7.0;

/// A chart as the template places it.
pub(super) struct Chart {
    /// Part of the ids in the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it comes to, beside the title.
    pub(super) figures: Vec<Figure>,
    /// What it shows, in a sentence, for who cannot see it.
    pub(super) description: String,
    /// How many minutes it is wide.
    pub(super) minutes: usize,
    /// What the upper edge and the line in the middle stand for.
    pub(super) top: String,
    pub(super) middle: String,
    /// The paths, each with the name of its style.
    pub(super) paths: Vec<(&'static str, String)>,
    pub(super) marks: Vec<Mark>,
}

/// A number beside the title of a chart.
pub(super) struct Figure {
    /// The name of the style of what it belongs to.
    pub(super) style: &'static str,
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// A moment in a chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Where it is, in percent of the width.
    pub(super) at: String,
    /// What it says, unless the one before it is too near.
    pub(super) label: Option<String>,
    /// The label stands to the left of it, because there is no room to the right.
    pub(super) is_last: bool,
}

/// Returns a path of one bar per minute.
pub(super) fn bars(counts: &[u64], scale: Scale) -> String {
    let mut path = String::new();
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (HEIGHT - scale.y(float(*count))).max(1.0);
        let _ = write!(path, "M{at}.1 {HEIGHT}v-{height:.1}h.8v{height:.1}z");
    }
    path
}

/// Returns a path through the middle of each minute that has a value; one without neighbours is a dot.
pub(super) fn line(values: &[Option<f64>], scale: Scale) -> String {
    let mut path = String::new();
    let mut before = false;
    for (at, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let y = scale.y(*value);
            let _ = match before {
                true => write!(path, "L{at}.5 {y:.1}"),
                false => write!(path, "M{at}.5 {y:.1}h0"),
            };
        }
        before = value.is_some();
    }
    path
}

/// Returns the marks of moments, each with its label, in a window of so many seconds; what is outside has none.
pub(super) fn marks(moments: &[(i64, String)], seconds: i64) -> Vec<Mark> {
    let mut moments: Vec<_> = moments.iter().filter(|(at, _)| (0..=seconds).contains(at)).collect();
    moments.sort_by_key(|(at, _)| *at);
    let mut labelled = f64::MIN;
    let mark = |(at, label): &(i64, String)| {
        let at = 100.0 * float(at.unsigned_abs()) / float(seconds.unsigned_abs()).max(1.0);
        let has_room = at - labelled >= LABEL_PERCENT;
        if has_room {
            labelled = at;
        }
        Mark { at: format!("{at:.1}"), label: has_room.then(|| label.clone()), is_last: at > 90.0 }
    };
    moments.into_iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_has_a_bar_that_can_be_seen_unless_nothing_was() {
        let scale = Scale::upto(1_000.0);
        assert_eq!(bars(&[0, 1_000, 1], scale), "M1.1 100v-100.0h.8v100.0zM2.1 100v-1.0h.8v1.0z");
        assert_eq!(bars(&[], scale), "");
    }

    #[test]
    fn a_line_has_gaps_where_nothing_is_known() {
        let scale = Scale::upto(10.0);
        let path = line(&[Some(0.0), Some(10.0), None, Some(5.0), None], scale);
        assert_eq!(path, "M0.5 100.0h0L1.5 0.0M3.5 50.0h0");
    }

    #[test]
    fn marks_are_in_the_window_and_their_labels_do_not_touch() {
        let moments = [(3_600, "v4"), (100, "v2"), (0, "v1"), (2_000, "v3"), (-1, "v0"), (3_601, "v5")];
        let found = marks(&moments.map(|(at, label)| (at, label.to_owned())), 3_600);
        let found: Vec<_> =
            found.iter().map(|mark| (mark.at.as_str(), mark.label.as_deref(), mark.is_last)).collect();
        let expected = [
            ("0.0", Some("v1"), false),
            ("2.8", None, false),
            ("55.6", Some("v3"), false),
            ("100.0", Some("v4"), true),
        ];
        assert_eq!(found, expected);
    }
}

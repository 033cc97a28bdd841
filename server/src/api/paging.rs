//! Lists in pieces, as Heroku does it: `Range: version ]5..; order=desc,max=10`. What cannot be understood is ignored,
//! as its clients need: some name attributes that do not exist, some send an empty value.

use std::cmp::Ordering;

use axum::http::HeaderMap;
use axum::http::header::RANGE;
use serde_json::Value;

/// Items of a piece when nobody says how many.
const PIECE: usize = 200;

/// Most items of a piece.
const PIECE_MAX: usize = 1000;

/// The attributes a list can be sorted by, the usual one first.
pub(super) type Order = &'static [&'static str];

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    attribute: Option<String>,
    start: Option<Bound>,
    end: Option<Bound>,
    max: Option<usize>,
    descending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    value: String,
    excluded: bool,
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) items: Vec<Value>,
    /// Says what the piece holds.
    pub(super) content_range: Option<String>,
    /// Asks for the next piece.
    pub(super) next_range: Option<String>,
}

impl Range {
    /// Reads the header; an absent one asks for everything.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.get(RANGE).and_then(|value| value.to_str().ok()).map(Self::parse).unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let mut range = Self::default();
        let mut parts = text.split([';', ',']).map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (attribute, bounds) = first.split_once(char::is_whitespace).unwrap_or((first, ""));
        range.attribute = Some(attribute.to_owned()).filter(|attribute| !attribute.is_empty());
        if let Some((start, end)) = bounds.trim().split_once("..") {
            let (start, end) = (start.trim(), end.trim());
            range.start = bound(start.trim_start_matches([']', '[']), start.starts_with(']'));
            range.end = bound(end.trim_end_matches([']', '[']), end.ends_with('['));
        }
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim() {
                "max" => range.max = value.trim().parse().ok(),
                "order" => range.descending = value.trim().eq_ignore_ascii_case("desc"),
                _ => {}
            }
        }
        range
    }

    /// Returns how many items are enough when the list comes newest first and only the newest are asked for.
    pub(super) fn newest(&self) -> Option<u32> {
        let all = self.start.is_none() && self.end.is_none() && self.descending;
        let max = self.max.unwrap_or(PIECE).clamp(1, PIECE_MAX);
        // One more tells that there are more.
        all.then(|| u32::try_from(max + 1).unwrap_or(u32::MAX))
    }

    /// Returns the part that is asked for, sorted by the asked attribute, or by the usual one.
    pub(super) fn cut(&self, mut items: Vec<Value>, order: Order) -> Piece {
        let known = self.attribute.as_deref().filter(|attribute| order.contains(attribute));
        let attribute = known.or(order.first().copied()).unwrap_or("id");
        items.sort_by(|a, b| self.directed(compare(&a[attribute], &b[attribute])));
        if known.is_some() {
            items.retain(|item| self.holds(&item[attribute]));
        }
        let max = self.max.unwrap_or(PIECE).clamp(1, PIECE_MAX);
        let more = items.len() > max;
        items.truncate(max);
        let (first, last) =
            (items.first().map(|i| shown(&i[attribute])), items.last().map(|i| shown(&i[attribute])));
        let content_range =
            first.zip(last.clone()).map(|(first, last)| format!("{attribute} {first}..{last}"));
        let next_range = last.filter(|_| more).map(|last| self.after(attribute, &last, max));
        Piece { items, content_range, next_range }
    }

    fn after(&self, attribute: &str, last: &str, max: usize) -> String {
        let end = match &self.end {
            Some(end) if end.excluded => format!("{}[", end.value),
            Some(end) => end.value.clone(),
            None => String::new(),
        };
        let order = if self.descending { ",order=desc" } else { "" };
        format!("{attribute} ]{last}..{end}; max={max}{order}")
    }

    fn directed(&self, ordering: Ordering) -> Ordering {
        if self.descending { ordering.reverse() } else { ordering }
    }

    fn holds(&self, value: &Value) -> bool {
        let from = |bound: &Bound| self.directed(compare_text(value, &bound.value));
        let after_start = self.start.as_ref().is_none_or(|bound| match from(bound) {
            Ordering::Less => false,
            Ordering::Equal => !bound.excluded,
            Ordering::Greater => true,
        });
        let before_end = self.end.as_ref().is_none_or(|bound| match from(bound) {
            Ordering::Less => true,
            Ordering::Equal => !bound.excluded,
            Ordering::Greater => false,
        });
        after_start && before_end
    }
}

fn bound(value: &str, excluded: bool) -> Option<Bound> {
    (!value.is_empty()).then(|| Bound { value: value.to_owned(), excluded })
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => shown(a).cmp(&shown(b)),
    }
}

fn compare_text(value: &Value, text: &str) -> Ordering {
    match (value.as_u64(), text.trim_start_matches('v').parse::<u64>()) {
        (Some(value), Ok(number)) => value.cmp(&number),
        _ => shown(value).as_str().cmp(text),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BY_VERSION: Order = &["version", "id"];

    fn releases() -> Vec<Value> {
        (1..=12).map(|n| json!({"version": n, "id": format!("id-{n:02}")})).collect()
    }

    fn cut(header: &str) -> (Vec<u64>, Option<String>) {
        let piece = Range::parse(header).cut(releases(), BY_VERSION);
        (piece.items.iter().map(|item| item["version"].as_u64().unwrap()).collect(), piece.next_range)
    }

    #[test]
    fn every_form_that_clients_send_is_understood() {
        assert_eq!(cut("version ..; order=desc,max=1").0, [12]);
        assert_eq!(cut("version ..; max=2, order=desc").0, [12, 11]);
        assert_eq!(cut("version ..; max=1,order=desc").0, [12]);
        assert_eq!(cut("id ..; max=1000;").0.len(), 12);
        for nothing in ["", "domain ..; ;", "id ..; ;", ";;,", "version", "bytes=0-99", "..", "version x"] {
            let (found, next) = cut(nothing);
            assert_eq!((found.len(), next), (12, None), "{nothing}");
        }
        assert_eq!(cut("version 3..5").0, [3, 4, 5]);
        assert_eq!(cut("version ]3..5[").0, [4]);
        assert_eq!(cut("version ]v9..").0, [10, 11, 12]);
        assert!(cut("version 99..").0.is_empty());
    }

    #[test]
    fn following_next_range_visits_every_item_once_in_both_directions() {
        for first in ["version ..; max=5", "version ..; max=5,order=desc", "id ..; max=5"] {
            let (mut seen, mut header) = (Vec::new(), first.to_owned());
            loop {
                let (found, next) = cut(&header);
                seen.extend(found);
                let Some(next) = next else { break };
                header = next;
            }
            if first.contains("desc") {
                seen.reverse();
            }
            assert_eq!(seen, (1..=12).collect::<Vec<_>>(), "{first}");
        }
    }
}

//! Lays out rows in aligned columns without borders; where a line would be too long, its widest column gives way.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::screen::{Screen, Tone};

const GAP: usize = 2;
const NARROWEST: usize = 12;

/// One cell: a text and what it means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: model::wording::plain(&text.into(), 500).replace('\t', " "), tone: Tone::Plain }
    }
}

impl Cell {
    /// Returns a cell with a meaning.
    pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, ..Self::from(text) }
    }
}

/// Rows under a line of headings.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    /// Whether a line may be longer than the terminal is wide.
    whole: bool,
}

impl Table {
    /// Returns a table with headings and no rows.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self::with_columns(&headings)
    }

    /// Returns a table with as many headings as there are, and no rows.
    pub(crate) fn with_columns(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| Cell::toned(Tone::Faint, *heading));
        Self { rows: vec![headings.collect()], whole: false }
    }

    /// Returns a table without headings.
    pub(crate) fn bare() -> Self {
        Self { rows: Vec::new(), whole: false }
    }

    /// Returns a table of all there is to know of one thing: nothing is cut, the terminal wraps.
    pub(crate) fn details() -> Self {
        Self { rows: Vec::new(), whole: true }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.row_of(cells.to_vec());
    }

    /// Adds a row of as many cells as there are headings.
    pub(crate) fn row_of(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Returns the lines, joined; no line ends in blanks.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let most = if self.whole { usize::MAX } else { screen.width };
        let widths = fitted(self.natural_widths(), most);
        let lines = self.rows.iter().map(|row| line(row, &widths, screen.colour));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn natural_widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.text.width()).max();
        (0..columns).map(|column| width(column).unwrap_or(0)).collect()
    }
}

fn fitted(mut widths: Vec<usize>, most: usize) -> Vec<usize> {
    let gaps = GAP * widths.len().saturating_sub(1);
    loop {
        let total = widths.iter().sum::<usize>() + gaps;
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > NARROWEST) else {
            return widths;
        };
        if total <= most {
            return widths;
        }
        *widest = widest.saturating_sub(total - most).max(NARROWEST);
    }
}

fn line(row: &[Cell], widths: &[usize], colour: bool) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for (cell, width) in row.iter().zip(widths) {
        let text = shortened(&cell.text, *width);
        if !text.is_empty() {
            line.push_str(&" ".repeat(owed));
            owed = 0;
            line.push_str(&cell.tone.paint(&text, colour));
        }
        owed += width - text.width() + GAP;
    }
    line
}

/// Returns the text cut to `width` columns of a terminal, with an ellipsis where something is missing.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_also_under_wide_characters() {
        let mut table = Table::new(["NAME", "WHAT"]);
        table.row(["日本".into(), "a".into()]);
        table.row(["x".into(), Cell::toned(Tone::Good, "b")]);
        table.row(["last".into(), "".into()]);
        assert_eq!(table.render(&Screen::plain(80)), "NAME  WHAT\n日本  a\nx     b\nlast");
    }

    #[test]
    fn the_widest_column_gives_way_and_the_line_fits() {
        let mut table = Table::bare();
        table.row([
            "id".into(),
            "a very long subject of a commit that nobody needs in full".into(),
            "end".into(),
        ]);
        assert_eq!(table.render(&Screen::plain(40)), "id  a very long subject of a commi…  end");
    }
}

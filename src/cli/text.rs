//! Numbers, times and tables for people.

use std::{fmt::Write, time::Duration};

use chrono::{DateTime, Utc};

use super::output::{Colour, Style};

/// `12,345`
pub(super) fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// `83.10 KiB`
pub(super) fn bytes(number: u64) -> String {
    indicatif::BinaryBytes(number).to_string()
}

/// `1 file`, `2 files`
pub(super) fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `2026-11-22 14:03:11Z`
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `320ms`, `2.3s`, `4m 10s`, `3h 5m`, `2d 4h`
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..=59 => format!("{:.1}s", duration.as_secs_f64()),
        60..=3_599 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `reason 3, other 1`: the largest first.
pub(super) fn breakdown<'a>(parts: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let mut parts: Vec<_> = parts.into_iter().filter(|(_, number)| **number > 0).collect();
    parts.sort_by(|(name, number), (other, more)| more.cmp(number).then(name.cmp(other)));
    parts.iter().map(|(name, number)| format!("{name} {}", count(**number))).collect::<Vec<_>>().join(", ")
}

/// Columns that line up. Cells must not hold control characters' width: colours are added by `paint`.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
    colours: Vec<Option<(usize, Colour)>>,
}

impl Table {
    /// Column names; one that starts with `>` has its cells on the right, as numbers stand.
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self {
            header: header.iter().map(|name| name.trim_start_matches('>')).collect(),
            right: header.iter().map(|name| name.starts_with('>')).collect(),
            rows: Vec::new(),
            colours: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.coloured(cells, None);
    }

    /// A row with one coloured cell.
    pub(super) fn coloured(&mut self, cells: Vec<String>, colour: Option<(usize, Colour)>) {
        self.rows.push(cells);
        self.colours.push(colour);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn render(&self, style: Style) -> String {
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let header: Vec<String> = self.header.iter().map(|name| (*name).to_owned()).collect();
        let mut out = style.paint(Colour::Dim, &self.line(&widths, &header, None, style));
        for (row, colour) in self.rows.iter().zip(&self.colours) {
            out.push('\n');
            out.push_str(&self.line(&widths, row, *colour, style));
        }
        out
    }

    fn line(&self, widths: &[usize], cells: &[String], colour: Option<(usize, Colour)>, style: Style) -> String {
        let mut line = String::new();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            let blanks = " ".repeat(width - cell.chars().count());
            let painted = match colour {
                Some((at, colour)) if at == index => style.paint(colour, cell),
                _ => cell.clone(),
            };
            let right = self.right.get(index).copied().unwrap_or_default();
            let _ = if right { write!(line, "{blanks}{painted}") } else { write!(line, "{painted}{blanks}") };
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::{Table, breakdown, count, duration, plural};
    use crate::cli::output::Style;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "file"), "1 file");
        assert_eq!(plural(2_000, "row"), "2,000 rows");
        assert_eq!(duration(Duration::from_millis(320)), "320ms");
        assert_eq!(duration(Duration::from_millis(2_340)), "2.3s");
        assert_eq!(duration(Duration::from_secs(250)), "4m 10s");
        assert_eq!(duration(Duration::from_secs(11_100)), "3h 5m");
        assert_eq!(duration(Duration::from_secs(187_200)), "2d 4h");
        let parts = BTreeMap::from([("filter".to_owned(), 3), ("null_key".to_owned(), 12), ("none".to_owned(), 0)]);
        assert_eq!(breakdown(&parts), "null_key 12, filter 3");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["NAME", ">ROWS", "STATE"]);
        table.row(vec!["gold".into(), "7".into(), "ok".into()]);
        table.row(vec!["a_longer_name".into(), "1,000".into(), "—".into()]);
        assert_eq!(
            table.render(Style::PLAIN),
            "NAME            ROWS  STATE\n\
             gold               7  ok\n\
             a_longer_name  1,000  —"
        );
    }
}

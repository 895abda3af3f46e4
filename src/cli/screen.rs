//! The terminal that shows the output.

use std::io::{self, IsTerminal as _};

/// Rows of a terminal whose size is unknown.
const USUAL_ROWS: u16 = 24;

/// The size of the terminal on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns, if known.
    pub(super) width: Option<u16>,
    pub(super) rows: u16,
}

impl Screen {
    /// Returns the terminal's size. `None` if stdout is no terminal: other programs get whole lines,
    /// and all of them.
    pub(super) fn of_stdout() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let size = terminal_size::terminal_size();
        Some(Self {
            width: size.map(|(width, _)| width.0),
            rows: size.map_or(USUAL_ROWS, |(_, rows)| rows.0),
        })
    }

    /// Returns the terminal's columns. `None` if stdout is no terminal, or if they are unknown.
    pub(super) fn columns_of_stdout() -> Option<u16> {
        Self::of_stdout()?.width
    }
}

/// Returns how many of these texts, from the first on, fit in this many rows. The first one counts
/// as fitting, however long it is.
pub(super) fn fitting<'t>(texts: impl Iterator<Item = &'t str>, rows: usize) -> usize {
    let mut room = rows;
    let fits = texts.take_while(|text| {
        let rows = text.lines().count();
        let fits = rows <= room;
        room = room.saturating_sub(rows);
        fits
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_as_long_as_there_are_rows_and_the_first_one_always_does() {
        for (rows, fit) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 3)] {
            let texts = ["one", "two\nrows", "two\nrows"];
            assert_eq!(fitting(texts.into_iter(), rows), fit, "{rows}");
        }
    }
}

//! Makes foreign text safe for a log, a page or a terminal, and formats times.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Maximum number of characters shown of a name from the provider or the trail.
pub const NAME_SHOWN: usize = 120;

/// Returns `text` on one line. Characters that could control a terminal or change the reading
/// direction are escaped. The result has at most `max` characters, plus an ellipsis if it was cut.
pub fn printable(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    let mut room = max;
    for c in text.chars() {
        let mut shown = String::new();
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if deceives(c) => {
                // Writing into a string can't fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
        let width = shown.chars().count();
        if width > room {
            line.push('…');
            return line;
        }
        room -= width;
        line.push_str(&shown);
    }
    line
}

/// Does the same as [`printable`], but removes the middle of a text that is too long. A reason
/// begins with the fault and ends with the remedy.
pub fn shortened(text: &str, max: usize) -> String {
    let line = printable(text, usize::MAX);
    let length = line.chars().count();
    if length <= max {
        return line;
    }
    let end = max / 2;
    let begin: String = line.chars().take(max - end).collect();
    let rest: String = line.chars().skip(length - end).collect();
    format!("{}… {}", begin.trim_end(), rest.trim_start())
}

/// Returns true if a character is invisible, breaks the line, or changes how others are shown.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{e0000}'..='\u{10ffff}'
        )
}

/// Returns `text` in at most `max` characters, cut after a word, with an ellipsis. Control
/// characters are escaped.
pub fn fitted(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return printable(text, max);
    }
    let cut = printable(text, max.saturating_sub(1));
    let cut = cut.trim_end_matches('…');
    let whole = cut.rsplit_once(' ').map_or(cut, |(words, _)| words);
    format!("{}…", whole.trim_end_matches([' ', ',', ':', ';']))
}

/// Returns a count with its noun, such as "1 server" or "2 servers".
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Formats a time in the reader's zone.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    zoned.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// Formats a span in at most two units: `3 d 4 h`, `12 min`, `0 s`.
pub fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |large: i64, unit: &str, small: i64, next: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {next}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        (_, _, _) => two(days, "d", hours, "h"),
    }
}

/// Returns a row of CSV (RFC 4180) without its line break. A spreadsheet runs a field that begins
/// like a formula, so such a field gets an apostrophe in front; if there are `numbers`, a number
/// gets none.
pub fn csv_row(fields: impl IntoIterator<Item = String>, numbers: bool) -> String {
    let fields = fields.into_iter().map(|field| {
        let number = numbers && field.parse::<f64>().is_ok();
        let formula = field.starts_with(['=', '+', '-', '@']) && !number;
        let mark = if formula { "'" } else { "" };
        if field.contains([',', '"', '\r', '\n']) {
            format!("\"{mark}{}\"", field.replace('"', "\"\""))
        } else {
            format!("{mark}{field}")
        }
    });
    fields.collect::<Vec<_>>().join(",")
}

/// Returns a size in the largest unit that gives at least 1: `900 MB`, `5 GB`, `1.5 TB`.
pub fn size(megabytes: u64) -> String {
    let tenths = |unit: u64| match (megabytes * 10 / unit % 10, megabytes / unit) {
        (0, whole) => whole.to_string(),
        (tenth, whole) => format!("{whole}.{tenth}"),
    };
    match megabytes {
        0..1024 => format!("{megabytes} MB"),
        1024..1_048_576 => format!("{} GB", tenths(1024)),
        // Beyond any disk's size, tenths don't matter, and computing them could overflow.
        1_048_576..1_000_000_000_000 => format!("{} TB", tenths(1_048_576)),
        _ => format!("{} TB", megabytes / 1_048_576),
    }
}

/// Formats a time in UTC, for readers whose zone is unknown.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::{printable, shortened, size};

    #[test]
    fn ordinary_text_of_any_language_stays_as_it_is() {
        for text in [
            "web-server-01",
            "Größe: 5 „GB“",
            "サーバー",
            "חדש",
            "a \\ b",
        ] {
            assert_eq!(printable(text, 100), text);
        }
    }

    #[test]
    fn characters_that_control_a_terminal_or_reverse_text_are_escaped() {
        assert_eq!(printable("a\r\n\tb", 100), "a\\r\\n\\tb");
        assert_eq!(printable("\u{1b}]0;x\u{7}", 100), "\\u{1b}]0;x\\u{7}");
        assert_eq!(printable("\u{9b}31m", 100), "\\u{9b}31m");
        assert_eq!(
            printable("a\u{202e}b\u{2066}c", 100),
            "a\\u{202e}b\\u{2066}c"
        );
        assert_eq!(
            printable("a\u{200b}b\u{2028}c", 100),
            "a\\u{200b}b\\u{2028}c"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters_and_the_cut_is_marked() {
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("abcd", 3), "abc…");
        assert_eq!(printable("äöüß", 3), "äöü…");
        // An escape is never split.
        assert_eq!(printable("ab\u{1b}", 4), "ab…");
        assert_eq!(printable("", 0), "");
    }

    #[test]
    fn a_shortened_text_keeps_both_of_its_ends() {
        assert_eq!(shortened("it fits", 7), "it fits");
        let cut = shortened("the disk is full of old logs: make room", 24);
        assert_eq!(cut, "the disk is… s: make room");
        assert_eq!(shortened("a\nb", 9), "a\\nb");
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_gives_at_least_one() {
        for (megabytes, text) in [
            (0, "0 MB"),
            (1023, "1023 MB"),
            (5120, "5 GB"),
            (1536, "1.5 GB"),
            (1_048_576, "1 TB"),
            (u64::MAX, "17592186044415 TB"),
        ] {
            assert_eq!(size(megabytes), text);
        }
    }
}

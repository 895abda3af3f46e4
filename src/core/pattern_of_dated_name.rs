//! Finds the pattern that a name with a date may come from.
//!
//! Among the patterns that fit, the one with the widest date and time is chosen. No digit may
//! precede the date directly, or follow it directly or after one separator: it would belong to a
//! counter, or to a time in a form that is not supported.

use jiff::civil::DateTime;

use super::name_pattern::Pattern;

/// The usual forms of a day and of a month.
const DATES: [&str; 5] = ["%Y-%m-%d", "%Y_%m_%d", "%Y%m%d", "%Y-%m", "%Y_%m"];

/// The usual forms of a time, finest first.
const TIMES: [&str; 7] = [
    "%H-%M-%S", "%H_%M_%S", "%H%M%S", "%H-%M", "%H_%M", "%H%M", "%H",
];

/// The separators between date and time.
const BETWEEN: [&str; 4] = ["-", "_", "T", ""];

/// A name split into its date and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatedName {
    /// The pattern that formats `at` as exactly this name.
    pub(super) pattern: Pattern,
    /// The pattern's text.
    pub(super) text: String,
    /// The name without its date, in lower case.
    pub(super) words: String,
    /// The local time in the name; missing fields have their smallest value.
    pub(super) at: DateTime,
    /// True if the name contains the day.
    pub(super) day: bool,
    /// True if the name contains the hour.
    pub(super) hour: bool,
}

/// Returns all forms of a date with and without a time, widest first.
pub(super) fn forms() -> Vec<String> {
    let mut forms: Vec<String> = DATES.map(str::to_owned).into();
    for date in DATES.into_iter().filter(|date| date.ends_with("%d")) {
        for between in BETWEEN {
            // Date and time are joined directly only if neither contains a separator.
            let apart = !between.is_empty();
            let times = TIMES.into_iter();
            let times =
                times.filter(|time| apart || (date == "%Y%m%d" && !time.contains(['-', '_'])));
            forms.extend(times.map(|time| format!("{date}{between}{time}")));
        }
    }
    forms.sort_by_key(|form| std::cmp::Reverse(width(form)));
    forms
}

/// Returns the number of characters that a form produces: a year has four digits, every other field
/// two.
fn width(form: &str) -> usize {
    form.len() + if form.contains("%Y") { 2 } else { 0 }
}

/// Returns the name's pattern if the name contains a date in one of `forms`.
pub(super) fn dated(name: &str, forms: &[String]) -> Option<DatedName> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.chars().all(plain) {
        return None;
    }
    forms.iter().find_map(|form| {
        let last = name.len().checked_sub(width(form))?;
        // A date usually ends the name.
        (0..=last).rev().find_map(|from| at(name, form, from))
    })
}

fn at(name: &str, form: &str, from: usize) -> Option<DatedName> {
    let (before, rest) = name.split_at(from);
    let after = &rest[width(form)..];
    let apart = after.strip_prefix(['-', '_', 'T']).unwrap_or(after);
    let digit = |c: char| c.is_ascii_digit();
    if before.ends_with(digit) || apart.starts_with(digit) {
        return None;
    }
    let text = format!("{before}{form}{after}");
    let pattern = Pattern::new(&text, "").ok()?;
    let at = pattern.parse(name)?;
    (2000..2100).contains(&at.year()).then(|| DatedName {
        pattern,
        text,
        words: format!("{before} {after}").to_lowercase(),
        at,
        day: form.contains("%d"),
        hour: form.contains("%H"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_directly_follows_a_date_only_if_neither_has_separators() {
        let forms = forms();
        assert!(forms.contains(&"%Y%m%d%H%M".to_owned()));
        for apart in ["%Y-%m-%d%H", "%Y_%m_%d%H%M", "%Y%m%d%H-%M"] {
            assert!(!forms.contains(&apart.to_owned()), "{apart}");
        }
        assert!(forms.contains(&"%Y-%m-%d-%H%M".to_owned()));
    }
}

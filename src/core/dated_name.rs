//! Names with a date in them: the pattern that a name may have been made by.
//!
//! Of all patterns that fit, the one that takes most of the name for date and time is
//! meant; what then stands beside the date must hold no digits next to it, else it would be
//! a counter or a part of a time that no pattern of ours gives back.

use jiff::civil::DateTime;

use super::name_pattern::Pattern;

/// The forms of a day in use, and of a month.
const DATES: [&str; 5] = ["%Y-%m-%d", "%Y_%m_%d", "%Y%m%d", "%Y-%m", "%Y_%m"];

/// The forms of a time, finest first.
const TIMES: [&str; 7] = [
    "%H-%M-%S", "%H_%M_%S", "%H%M%S", "%H-%M", "%H_%M", "%H%M", "%H",
];

/// What stands between date and time.
const BETWEEN: [&str; 4] = ["-", "_", "T", ""];

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatedName {
    /// The pattern that gives exactly this name for `at`.
    pub(super) pattern: Pattern,
    /// Its text.
    pub(super) text: String,
    /// What is no date, in lower case.
    pub(super) words: String,
    /// The local time that the name tells; what it lacks is the smallest there is.
    pub(super) at: DateTime,
    /// Whether it tells the day.
    pub(super) day: bool,
    /// Whether it tells the hour.
    pub(super) hour: bool,
}

/// All forms of date with or without a time, widest first.
pub(super) fn forms() -> Vec<String> {
    let mut forms: Vec<String> = DATES.map(str::to_owned).into();
    for date in DATES.into_iter().filter(|date| date.ends_with("%d")) {
        for between in BETWEEN {
            // Run together only where nothing else is set apart either.
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

/// How wide a form's names are: a year has four digits, all else two.
fn width(form: &str) -> usize {
    form.len() + if form.contains("%Y") { 2 } else { 0 }
}

/// The name's pattern, if it bears a date in one of the `forms`.
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
    fn a_time_is_run_together_only_with_a_date_that_is() {
        let forms = forms();
        assert!(forms.contains(&"%Y%m%d%H%M".to_owned()));
        for apart in ["%Y-%m-%d%H", "%Y_%m_%d%H%M", "%Y%m%d%H-%M"] {
            assert!(!forms.contains(&apart.to_owned()), "{apart}");
        }
        assert!(forms.contains(&"%Y-%m-%d-%H%M".to_owned()));
    }
}

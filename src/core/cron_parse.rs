//! Parses cron expressions with croner, and reports which field of a refused one is wrong.
//!
//! The wrong field is found by giving each field alone to the same parser. A second grammar could
//! disagree with the first.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// A cron expression that can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {remedy}")]
pub struct ScheduleError {
    /// The part that is wrong.
    pub message: String,
    /// How to correct it, with an example.
    pub remedy: String,
}

/// A field of an expression.
struct CronField {
    name: &'static str,
    range: &'static str,
    example: &'static str,
}

const fn field(name: &'static str, range: &'static str, example: &'static str) -> CronField {
    CronField {
        name,
        range,
        example,
    }
}

const FIELDS: [CronField; 6] = [
    field("second", "0 to 59", "30 0 3 * * Sun"),
    field("minute", "0 to 59", "30 3 * * Sun"),
    field("hour", "0 to 23", "0 3 * * Sun"),
    field("day of month", "1 to 31, or L for the last", "0 3 1 * *"),
    field("month", "1 to 12, or Jan to Dec", "0 3 1 Jan *"),
    field("day of week", "0 to 7, or Sun to Sat", "0 3 * * Sun"),
];

/// Parses an expression of five fields, of six with seconds first, or a word such as `@daily`.
pub(super) fn read(expression: &str) -> Result<Cron, ScheduleError> {
    // croner supports every usual word except this one.
    let known = if expression.trim().eq_ignore_ascii_case("@midnight") {
        "@daily"
    } else {
        expression
    };
    parse(known).ok_or_else(|| wrong(expression))
}

fn parse(expression: &str) -> Option<Cron> {
    // croner ignores an empty item in a list. If the list has no other item, croner searches
    // endlessly for a matching second, minute or hour.
    let lacks = |field: &str| field.split(',').any(str::is_empty);
    if expression.split_whitespace().any(lacks) {
        return None;
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    parser.parse(expression).ok()
}

/// Returns the error for a refused expression.
fn wrong(expression: &str) -> ScheduleError {
    if expression.contains('@') {
        return ScheduleError {
            message: "unknown word".to_owned(),
            remedy: "write one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually, or five fields such as \"0 3 * * Sun\"".to_owned(),
        };
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let count = fields.len();
    if !(5..=6).contains(&count) {
        let s = if count == 1 { "" } else { "s" };
        return ScheduleError {
            message: format!("it has {count} field{s}, not five"),
            remedy: "write minute, hour, day of month, month and day of week, such as \"0 3 * * Sun\" (with seconds first if needed), or @daily".to_owned(),
        };
    }
    let first = FIELDS.len() - count;
    let alone = |nth: usize, text: &str| {
        let mut all = ["*"; FIELDS.len()];
        all[nth] = text;
        parse(&all.join(" "))
    };
    let found = fields
        .iter()
        .zip(first..)
        .find(|(text, nth)| alone(*nth, text).is_none());
    let (text, nth) = found.unwrap_or((&expression, first));
    let piece = text.split(',').find(|piece| alone(nth, piece).is_none());
    let CronField {
        name,
        range,
        example,
    } = FIELDS[nth];
    ScheduleError {
        message: format!("the {name} {:?} is invalid", piece.unwrap_or(text)),
        remedy: format!(
            "write {range}, a list (1,3), an ascending range (1-3) or a step (*/2), such as \"{example}\""
        ),
    }
}

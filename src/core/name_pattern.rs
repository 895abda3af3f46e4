//! Name patterns: format a slot's local time as a name, and parse a name back into that time.
//!
//! A name is own only if formatting the parsed time gives the same name again (docs/design.md,
//! "Words"). All fields have a fixed width, so two patterns can be compared position by position.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternPart {
    Literal(u8),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl PatternPart {
    fn width(self) -> usize {
        match self {
            Self::Literal(_) => 1,
            Self::Year => 4,
            _ => 2,
        }
    }

    /// Returns true if this character may be at position `at` of this part.
    fn allows(self, at: usize, c: u8) -> bool {
        let first_up_to = |top: u8| c.is_ascii_digit() && (at > 0 || c <= top);
        match self {
            Self::Literal(own) => own == c,
            Self::Year => c.is_ascii_digit(),
            Self::Month => first_up_to(b'1'),
            Self::Day => first_up_to(b'3'),
            Self::Hour => first_up_to(b'2'),
            Self::Minute | Self::Second => first_up_to(b'5'),
        }
    }

    /// Returns the character at position `at` of this part, for the slot at this local time.
    fn character(self, at: usize, time: DateTime) -> u8 {
        let number = match self {
            Self::Literal(c) => return c,
            Self::Year => time.year().unsigned_abs(),
            Self::Month => time.month().unsigned_abs().into(),
            Self::Day => time.day().unsigned_abs().into(),
            Self::Hour => time.hour().unsigned_abs().into(),
            Self::Minute => time.minute().unsigned_abs().into(),
            Self::Second => time.second().unsigned_abs().into(),
        };
        let place = [1000, 100, 10, 1][4 - self.width() + at];
        let digit = u8::try_from(number / place % 10).unwrap_or_default();
        b'0' + digit
    }
}

/// The error for an unusable pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A character that the provider refuses in names (docs/api.md, "Identifiers and names").
    #[error("'{}' is not allowed in a snapshot's name: use letters, digits, '-' and '_'", .0.escape_default())]
    Character(char),
    /// A word in braces other than `{name}`, or a missing closing brace.
    #[error("unknown placeholder {}: the only placeholder is {{name}}", .0.escape_default())]
    Placeholder(String),
    /// A field that is not one of the six.
    #[error("unknown field '%{}': use %Y, %m, %d, %H, %M or %S", .0.escape_default())]
    Field(char),
    /// A `%` at the end.
    #[error("a lone '%' at the end: write a field such as %Y after it")]
    Lone,
    /// A field without the next coarser one, so that names would repeat.
    #[error("{0} without {1}, so names would repeat: add {1}, or remove {0}")]
    Incomplete(&'static str, &'static str),
    /// No field.
    #[error("no date in it, so every slot would have the same name: add %Y-%m-%d")]
    NoDate,
}

/// Returns true if the provider accepts this as a snapshot's name (docs/api.md, "Identifiers and
/// names").
pub fn is_accepted(name: &str) -> bool {
    !name.is_empty() && name.chars().all(accepts)
}

fn accepts(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The name pattern of a rotation's snapshots.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<PatternPart>);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            PatternPart::Literal(c) => write!(f, "{}", char::from(*c)),
            PatternPart::Year => f.write_str("%Y"),
            PatternPart::Month => f.write_str("%m"),
            PatternPart::Day => f.write_str("%d"),
            PatternPart::Hour => f.write_str("%H"),
            PatternPart::Minute => f.write_str("%M"),
            PatternPart::Second => f.write_str("%S"),
        })
    }
}

impl Pattern {
    /// Parses a pattern; `{name}` stands for the rotation's name.
    pub fn new(text: &str, rotation: &str) -> Result<Self, PatternError> {
        let text = text.replace("{name}", rotation);
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '%' => match chars.next().ok_or(PatternError::Lone)? {
                    'Y' => PatternPart::Year,
                    'm' => PatternPart::Month,
                    'd' => PatternPart::Day,
                    'H' => PatternPart::Hour,
                    'M' => PatternPart::Minute,
                    'S' => PatternPart::Second,
                    other => return Err(PatternError::Field(other)),
                },
                c if accepts(c) => PatternPart::Literal(u8::try_from(c).unwrap_or_default()),
                '{' => {
                    let mut word = String::from(c);
                    for c in chars.by_ref() {
                        word.push(c);
                        if c == '}' {
                            break;
                        }
                    }
                    return Err(PatternError::Placeholder(word));
                }
                c => return Err(PatternError::Character(c)),
            });
        }
        let fields = [
            (PatternPart::Year, "%Y"),
            (PatternPart::Month, "%m"),
            (PatternPart::Day, "%d"),
            (PatternPart::Hour, "%H"),
            (PatternPart::Minute, "%M"),
            (PatternPart::Second, "%S"),
        ];
        let has = |part: PatternPart| parts.contains(&part);
        if !fields.iter().any(|(part, _)| has(*part)) {
            return Err(PatternError::NoDate);
        }
        for pair in fields.windows(2) {
            if has(pair[1].0) && !has(pair[0].0) {
                return Err(PatternError::Incomplete(pair[1].1, pair[0].1));
            }
        }
        parts.shrink_to_fit();
        Ok(Self(parts))
    }

    /// Returns true if the pattern has a letter outside its fields, which distinguishes its names
    /// from others.
    pub fn has_word(&self) -> bool {
        let letter =
            |part: &PatternPart| matches!(part, PatternPart::Literal(c) if c.is_ascii_alphabetic());
        self.0.iter().any(letter)
    }

    /// Returns the name of the slot at this local time.
    pub fn format(&self, at: DateTime) -> String {
        let parts = self.0.iter();
        let characters = parts.flat_map(|part| {
            (0..part.width()).map(|position| char::from(part.character(position, at)))
        });
        characters.collect()
    }

    /// Returns the local time of this name, if formatting that time gives the same name again.
    /// Fields that the pattern lacks have their smallest value.
    pub fn parse(&self, name: &str) -> Option<DateTime> {
        // The value of each field, at first its smallest one, and whether the name contains the
        // field.
        let mut fields = [
            (1, false),
            (1, false),
            (1, false),
            (0, false),
            (0, false),
            (0, false),
        ];
        let mut rest = name.as_bytes();
        for part in &self.0 {
            let (head, tail) = rest.split_at_checked(part.width())?;
            rest = tail;
            let field = match part {
                PatternPart::Literal(c) if head.first() == Some(c) => continue,
                PatternPart::Literal(_) => return None,
                PatternPart::Year => &mut fields[0],
                PatternPart::Month => &mut fields[1],
                PatternPart::Day => &mut fields[2],
                PatternPart::Hour => &mut fields[3],
                PatternPart::Minute => &mut fields[4],
                PatternPart::Second => &mut fields[5],
            };
            let number = head.iter().try_fold(0_i16, |number, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| number * 10 + i16::from(digit - b'0'))
            })?;
            // A field that occurs twice must have the same value.
            if field.1 && field.0 != number {
                return None;
            }
            *field = (number, true);
        }
        if !rest.is_empty() {
            return None;
        }
        let small = |field: usize| i8::try_from(fields[field].0).ok();
        let date = Date::new(fields[0].0, small(1)?, small(2)?).ok()?;
        let time = Time::new(small(3)?, small(4)?, small(5)?, 0).ok()?;
        Some(date.to_datetime(time))
    }

    /// Returns true if both patterns may match the same name.
    pub fn may_clash(&self, other: &Self) -> bool {
        let positions = |pattern: &Self| -> Vec<(PatternPart, usize)> {
            let parts = pattern.0.iter();
            parts
                .flat_map(|p| (0..p.width()).map(move |at| (*p, at)))
                .collect()
        };
        let (left, right) = (positions(self), positions(other));
        left.len() == right.len()
            && left
                .iter()
                .zip(&right)
                .all(|((a, i), (b, j))| match (a, b) {
                    (PatternPart::Literal(c), _) => b.allows(*j, *c),
                    (_, PatternPart::Literal(c)) => a.allows(*i, *c),
                    _ => true,
                })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, "weekly").expect("a good pattern")
    }

    #[test]
    fn a_name_is_own_only_when_it_formats_back_to_itself() {
        let weekly = pattern("{name}-snapshot-%Y-%m-%d");
        let cases = [
            ("weekly-snapshot-2026-11-22", true),
            ("weekly-snapshot-2024-02-29", true),
            ("weekly-snapshot-2026-02-29", false),
            ("weekly-snapshot-2026-13-01", false),
            ("weekly-snapshot-2026-1-01", false),
            ("weekly-snapshot-+026-11-22", false),
            ("weekly-snapshot--026-11-22", false),
            ("weekly-snapshot-2026--1-22", false),
            ("weekly-snapshot- 026-11-22", false),
            ("weekly-snapshot-2026-11-22x", false),
            ("xweekly-snapshot-2026-11-22", false),
            ("Weekly-snapshot-2026-11-22", false),
            ("weekly-snapshot-2026-11-2\u{662}", false),
            ("", false),
        ];
        for (name, own) in cases {
            assert_eq!(weekly.parse(name).is_some(), own, "{name:?}");
        }
    }

    #[test]
    fn a_field_that_occurs_twice_must_have_the_same_value() {
        let twice = pattern("%Y-%m-%d-%d");
        assert!(twice.parse("2026-11-22-22").is_some());
        assert!(twice.parse("2026-11-22-23").is_none());
    }

    #[test]
    fn formatting_and_parsing_are_inverses_of_each_other() {
        let full = pattern("h-%Y%m%d-%H%M%S");
        let at = date(2026, 11, 22).at(3, 4, 5, 0);
        assert_eq!(full.format(at), "h-20261122-030405");
        assert_eq!(full.parse("h-20261122-030405"), Some(at));
    }

    #[test]
    fn a_pattern_prints_itself_as_it_was_written() {
        for text in ["weekly-%Y-%m-%d", "h_%Y%m%d-%H%M%S"] {
            assert_eq!(pattern(text).to_string(), text);
            assert_eq!(format!("{:?}", pattern(text)), format!("Pattern({text})"));
        }
    }

    #[test]
    fn invalid_patterns_are_refused_with_a_specific_error() {
        let cases = [
            ("a b-%Y", PatternError::Character(' ')),
            ("a-%Q", PatternError::Field('Q')),
            ("a-%Y%", PatternError::Lone),
            ("plain", PatternError::NoDate),
            ("a-%Y-%d", PatternError::Incomplete("%d", "%m")),
            ("a-%m-%d", PatternError::Incomplete("%m", "%Y")),
        ];
        for (text, error) in cases {
            assert_eq!(Pattern::new(text, "r"), Err(error), "{text}");
        }
    }

    #[test]
    fn patterns_clash_when_one_name_fits_both() {
        let cases = [
            ("a-%Y-%m-%d", "b-%Y-%m-%d", false),
            ("a-%Y-%m-%d", "a-%Y-%m-%d", true),
            ("a-%Y%m%d", "a-%Y%m01", true),
            ("a-%Y%m%d", "a-%Y99%m", false),
            ("a-%Y-%m-%d", "a-%Y-%m-%d-%H", false),
            // The range of a field's first digit limits the literals that can be in its position.
            ("%Y%m", "%Y19", true),
            ("%Y%m", "%Y20", false),
            ("%Y%m%d", "%Y%m39", true),
            ("%Y%m%d", "%Y%m40", false),
            ("%Y%m%d%H", "%Y%m%d29", true),
            ("%Y%m%d%H", "%Y%m%d30", false),
            ("%Y%m%d%H%M", "%Y%m%d%H59", true),
            ("%Y%m%d%H%M", "%Y%m%d%H60", false),
            ("%Y%m", "%Y0-", false),
            ("%Y%m", "%Y-1", false),
            ("a%Y", "%Ya", false),
            ("9%Y", "%Y9", true),
        ];
        for (left, right, clash) in cases {
            assert_eq!(
                pattern(left).may_clash(&pattern(right)),
                clash,
                "{left} {right}"
            );
            assert_eq!(
                pattern(right).may_clash(&pattern(left)),
                clash,
                "{right} {left}"
            );
        }
    }
}

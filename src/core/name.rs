//! Name patterns: a slot's local time into a name, and a name back into that time.
//!
//! A name is own only when parsing it and formatting the result again gives the same
//! name (DESIGN.md, section 1). All fields have a fixed width, so a pattern is a row of
//! positions and two patterns can be compared position by position.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

/// One piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Literal(char),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Part {
    fn width(self) -> usize {
        match self {
            Self::Literal(c) => c.len_utf8(),
            Self::Year => 4,
            _ => 2,
        }
    }

    /// The characters that may stand at position `at` of this part.
    fn allows(self, at: usize, c: char) -> bool {
        let first_up_to = |top: char| c.is_ascii_digit() && (at > 0 || c <= top);
        match self {
            Self::Literal(own) => own == c,
            Self::Year => c.is_ascii_digit(),
            Self::Month => first_up_to('1'),
            Self::Day => first_up_to('3'),
            Self::Hour => first_up_to('2'),
            Self::Minute | Self::Second => first_up_to('5'),
        }
    }
}

/// Why a pattern can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A character that the provider refuses in names (API.md).
    #[error("'{}' can't stand in a snapshot's name: use letters, digits, '-' and '_'", .0.escape_default())]
    Character(char),
    /// A word in braces other than `{name}`; a missing closing brace too.
    #[error("unknown placeholder {}: the only placeholder is {{name}}", .0.escape_default())]
    Placeholder(String),
    /// A field that is not one of the six.
    #[error("unknown field '%{}': use %Y, %m, %d, %H, %M or %S", .0.escape_default())]
    Field(char),
    /// A `%` at the end.
    #[error("a lone '%' at the end: write a field such as %Y after it")]
    Lone,
    /// A field whose coarser neighbours are missing, so that names would repeat.
    #[error("{0} stands without {1}, so names would repeat: add it, or take {0} out")]
    Incomplete(&'static str, &'static str),
    /// No field at all.
    #[error("no date in it, so every slot would have one name: add %Y-%m-%d")]
    NoDate,
}

/// Whether the provider takes this as a snapshot's name (API.md).
pub fn is_accepted(name: &str) -> bool {
    !name.is_empty() && name.chars().all(accepts)
}

fn accepts(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// How the snapshots of a rotation are named.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(c) => write!(f, "{c}"),
            Part::Year => f.write_str("%Y"),
            Part::Month => f.write_str("%m"),
            Part::Day => f.write_str("%d"),
            Part::Hour => f.write_str("%H"),
            Part::Minute => f.write_str("%M"),
            Part::Second => f.write_str("%S"),
        })
    }
}

impl Pattern {
    /// Reads a pattern; `{name}` stands for the rotation's name.
    pub fn new(text: &str, rotation: &str) -> Result<Self, PatternError> {
        let text = text.replace("{name}", rotation);
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '%' => match chars.next().ok_or(PatternError::Lone)? {
                    'Y' => Part::Year,
                    'm' => Part::Month,
                    'd' => Part::Day,
                    'H' => Part::Hour,
                    'M' => Part::Minute,
                    'S' => Part::Second,
                    other => return Err(PatternError::Field(other)),
                },
                c if accepts(c) => Part::Literal(c),
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
            (Part::Year, "%Y"),
            (Part::Month, "%m"),
            (Part::Day, "%d"),
            (Part::Hour, "%H"),
            (Part::Minute, "%M"),
            (Part::Second, "%S"),
        ];
        let has = |part: Part| parts.contains(&part);
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

    /// Returns true if it has a word beside its fields, by which its names are told from others'.
    pub fn has_word(&self) -> bool {
        let letter = |part: &Part| matches!(part, Part::Literal(c) if c.is_ascii_alphabetic());
        self.0.iter().any(letter)
    }

    /// The name of the slot at this local time.
    pub fn format(&self, at: DateTime) -> String {
        use fmt::Write as _;
        let mut name = String::with_capacity(self.width());
        for part in &self.0 {
            let written = match part {
                Part::Literal(c) => {
                    name.push(*c);
                    Ok(())
                }
                Part::Year => write!(name, "{:04}", at.year()),
                Part::Month => write!(name, "{:02}", at.month()),
                Part::Day => write!(name, "{:02}", at.day()),
                Part::Hour => write!(name, "{:02}", at.hour()),
                Part::Minute => write!(name, "{:02}", at.minute()),
                Part::Second => write!(name, "{:02}", at.second()),
            };
            debug_assert!(written.is_ok(), "writing to a string can't fail");
        }
        name
    }

    /// The local time that this name stands for, when formatting it gives the very name
    /// again; fields that the pattern lacks are the smallest there are.
    pub fn parse(&self, name: &str) -> Option<DateTime> {
        if !name.is_ascii() || name.len() != self.width() {
            return None;
        }
        let (mut year, mut month, mut day) = (1_i16, 1_i8, 1_i8);
        let (mut hour, mut minute, mut second) = (0_i8, 0_i8, 0_i8);
        let mut rest = name;
        for part in &self.0 {
            let (head, tail) = rest.split_at(part.width());
            rest = tail;
            if let Part::Literal(c) = part {
                if !head.starts_with(*c) {
                    return None;
                }
                continue;
            }
            // A sign would parse, and a year formats back with it: `-026`.
            if !head.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let number: i16 = head.parse().ok()?;
            let small = i8::try_from(number);
            match part {
                Part::Literal(_) => {}
                Part::Year => year = number,
                Part::Month => month = small.ok()?,
                Part::Day => day = small.ok()?,
                Part::Hour => hour = small.ok()?,
                Part::Minute => minute = small.ok()?,
                Part::Second => second = small.ok()?,
            }
        }
        let date = Date::new(year, month, day).ok()?;
        let time = Time::new(hour, minute, second, 0).ok()?;
        let at = date.to_datetime(time);
        (self.format(at) == name).then_some(at)
    }

    /// Whether some name could be read by both patterns.
    pub fn may_clash(&self, other: &Self) -> bool {
        let positions = |pattern: &Self| -> Vec<(Part, usize)> {
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
                    (Part::Literal(c), _) => b.allows(*j, *c),
                    (_, Part::Literal(c)) => a.allows(*i, *c),
                    _ => true,
                })
    }

    fn width(&self) -> usize {
        self.0.iter().map(|part| part.width()).sum()
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
    fn a_field_that_stands_twice_must_say_the_same() {
        let twice = pattern("%Y-%m-%d-%d");
        assert!(twice.parse("2026-11-22-22").is_some());
        assert!(twice.parse("2026-11-22-23").is_none());
    }

    #[test]
    fn formatting_and_parsing_are_inverse() {
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
    fn wrong_patterns_are_refused_with_a_remedy() {
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
            // The first digit of a field decides what a literal there may be.
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

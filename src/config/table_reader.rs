//! Reads a TOML table key by key, so that one wrong key doesn't hide the next.
//!
//! Deserializing stops at the first error. A [`TableReader`] takes each key as a typed value, or
//! reports its problem and goes on. Keys that are left at the end are unknown.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostics::{Diagnostics, Position, Source};
use super::hints;
use super::hints::nearest;

/// A value and its position.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: Position,
}

/// Why a value can't be used, and what to write instead.
#[derive(Debug)]
pub(super) struct ValueError {
    pub(super) message: String,
    pub(super) remedy: String,
}

/// A type that can be read from a TOML value.
pub(super) trait FromToml: Sized {
    /// The expected type, for the message: `a whole number`.
    const WANTED: &'static str;
    /// An example of the value as written, for the remedy.
    const EXAMPLE: &'static str;

    /// Reads the value; `None` if it has another TOML type.
    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>>;
}

/// A table that is being read.
pub(super) struct TableReader<'a> {
    source: &'a Arc<Source>,
    title: &'static str,
    at: Position,
    table: DeTable<'a>,
    known: Vec<&'static str>,
    missing: Vec<MissingKey>,
}

/// A required key that is missing.
struct MissingKey {
    key: &'static str,
    message: String,
    remedy: String,
}

impl<'a> TableReader<'a> {
    /// Returns a reader of the whole file.
    pub(super) fn root(source: &'a Arc<Source>, table: DeTable<'a>) -> Self {
        let at = Position {
            source: Arc::clone(source),
            span: 0..0,
        };
        Self {
            source,
            title: "this file",
            at,
            table,
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Returns the position of the table's header; for the whole file, its start.
    pub(super) fn at(&self) -> &Position {
        &self.at
    }

    /// Returns true if the key is present; must be called before the key is taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Takes a key's value; `None` if it is missing or can't be read.
    pub(super) fn take<T: FromToml>(
        &mut self,
        key: &'static str,
        log: &mut Diagnostics,
    ) -> Option<Located<T>> {
        let (value, at) = self.remove(key)?;
        read(key, &value, at, ValueForm::Value, log)
    }

    /// Like [`Self::take`]; reports an error if `good` does not hold for the value.
    pub(super) fn take_if<T: FromToml>(
        &mut self,
        key: &'static str,
        log: &mut Diagnostics,
        good: impl Fn(&T) -> bool,
        (message, remedy): (&str, &str),
    ) -> Option<Located<T>> {
        let found = self.take::<T>(key, log)?;
        if good(&found.value) {
            return Some(found);
        }
        log.error(&found.at, format!("{key} {message}"), remedy);
        None
    }

    /// Marks a key as required; [`Self::lacks`] reports it if it is missing. Must be called before
    /// the key is taken.
    pub(super) fn require(&mut self, key: &'static str, example: &str) {
        let message = format!("{key} is missing in {}", self.title);
        self.require_saying(key, message, format!("write {key} = {example}"));
    }

    /// Like [`Self::require`], with the given message and remedy.
    pub(super) fn require_saying(
        &mut self,
        key: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if !self.has(key) {
            self.missing.push(MissingKey {
                key,
                message: message.into(),
                remedy: remedy.into(),
            });
        }
    }

    /// Takes a list's values; invalid ones are reported and left out.
    pub(super) fn take_list<T: FromToml>(
        &mut self,
        key: &'static str,
        log: &mut Diagnostics,
    ) -> Option<Vec<Located<T>>> {
        let (value, at) = self.remove(key)?;
        let DeValue::Array(items) = &value else {
            let message = format!("{key} must be a list, not {}", kind(&value));
            log.error(&at, message, format!("write {}", hints::list(key)));
            return None;
        };
        let source = self.source;
        let found = items.iter().filter_map(|item| {
            let at = Position {
                source: Arc::clone(source),
                span: item.span(),
            };
            read(key, item.get_ref(), at, ValueForm::Item, log)
        });
        Some(found.collect())
    }

    /// Takes a table within this one, such as `[api]`; `title` is its header as it is written.
    pub(super) fn take_table(
        &mut self,
        key: &'static str,
        title: &'static str,
        log: &mut Diagnostics,
    ) -> Option<TableReader<'a>> {
        let (value, at) = self.remove(key)?;
        match value {
            DeValue::Table(table) => Some(self.within(table, title, at)),
            other => {
                let message = format!("{key} must be a table, not {}", kind(&other));
                log.error(&at, message, format!("write {title} on a line of its own"));
                None
            }
        }
    }

    /// Takes the tables of an array such as `[[rotation]]`.
    pub(super) fn take_tables(
        &mut self,
        key: &'static str,
        title: &'static str,
        log: &mut Diagnostics,
    ) -> Option<Vec<TableReader<'a>>> {
        let (value, at) = self.remove(key)?;
        let remedy = format!("write {title}, with two brackets, before each one");
        let DeValue::Array(items) = value else {
            let message = format!("{key} must be a list of tables, not {}", kind(&value));
            log.error(&at, message, remedy);
            return None;
        };
        let mut sections = Vec::new();
        for item in items {
            let at = Position {
                source: Arc::clone(self.source),
                span: item.span(),
            };
            match item.into_inner() {
                DeValue::Table(table) => sections.push(self.within(table, title, at)),
                other => {
                    let message = format!(
                        "{key} must be a list of tables, but contains {}",
                        kind(&other)
                    );
                    log.error(&at, message, remedy.clone());
                }
            }
        }
        Some(sections)
    }

    /// Refuses a key, with the given message and remedy.
    pub(super) fn refuse(&mut self, key: &'static str, why: (&str, &str), log: &mut Diagnostics) {
        if let Some(at) = self.place(key) {
            self.table.remove(key);
            log.error(&at, why.0, why.1);
        }
    }

    /// Finishes reading: reports missing keys, and reports the remaining keys as unknown.
    pub(super) fn finish(mut self, log: &mut Diagnostics) {
        self.lacks(log);
        for key in self.table.keys() {
            let name = key.get_ref();
            let remedy = match self.near(name) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("remove it, or use one of {}", self.known.join(", ")),
            };
            let message = format!("unknown key {name:?} in {}", self.title);
            log.error(&self.span(key.span()), message, remedy);
        }
    }

    /// Reports missing keys. A misspelt required key is reported once, with the key that was meant,
    /// and not also as missing.
    pub(super) fn lacks(&mut self, log: &mut Diagnostics) {
        for MissingKey {
            key,
            message,
            remedy,
        } in std::mem::take(&mut self.missing)
        {
            let mut keys = self.table.keys();
            let misspelt = keys.find(|written| self.near(written.get_ref()) == Some(key));
            let Some(misspelt) = misspelt.cloned() else {
                log.error(&self.at, message, remedy);
                continue;
            };
            let name = misspelt.get_ref();
            let message = format!("unknown key {name:?} in {}, which lacks {key}", self.title);
            let at = self.span(misspelt.span());
            log.error(&at, message, format!("did you mean {key}?"));
            self.table.remove(name.as_ref());
        }
    }

    /// Returns the known key that was probably meant.
    fn near(&self, name: &str) -> Option<&'static str> {
        nearest(name, self.known.iter().copied())
    }

    fn span(&self, span: Range<usize>) -> Position {
        Position {
            source: Arc::clone(self.source),
            span,
        }
    }

    fn within(&self, table: DeTable<'a>, title: &'static str, at: Position) -> TableReader<'a> {
        TableReader {
            source: self.source,
            title,
            at,
            table,
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn remove(&mut self, key: &'static str) -> Option<(DeValue<'a>, Position)> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        let at = Position {
            source: Arc::clone(self.source),
            span: value.span(),
        };
        Some((Spanned::into_inner(value), at))
    }

    fn place(&self, key: &str) -> Option<Position> {
        let (key, _) = self.table.get_key_value(key)?;
        Some(Position {
            source: Arc::clone(self.source),
            span: key.span(),
        })
    }
}

/// Position of a value: after its key, or in a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueForm {
    Value,
    Item,
}

fn read<T: FromToml>(
    key: &str,
    value: &DeValue<'_>,
    at: Position,
    form: ValueForm,
    log: &mut Diagnostics,
) -> Option<Located<T>> {
    match T::read(value) {
        Some(Ok(value)) => return Some(Located { value, at }),
        Some(Err(fault)) => log.error(&at, format!("{key}: {}", fault.message), fault.remedy),
        None => log.error(
            &at,
            format!("{key} must be {}, not {}", T::WANTED, kind(value)),
            match bare::<T>(value) {
                Some(bare) if form == ValueForm::Value => {
                    format!("write {key} = {bare}, without quotes")
                }
                _ => format!("write it as {}", T::EXAMPLE),
            },
        ),
    }
    None
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Returns a string's text if it would be a valid value without quotes.
fn bare<T: FromToml>(value: &DeValue<'_>) -> Option<String> {
    let text = value.as_str()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    if text.is_empty() || text.len() > 20 || !text.chars().all(plain) {
        return None;
    }
    let line = format!("x = {text}");
    let table = DeTable::parse(&line).ok()?;
    let (_, value) = table.get_ref().get_key_value("x")?;
    matches!(T::read(value.get_ref()), Some(Ok(_))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_quotes_is_advised_only_if_the_value_is_valid_without_them() {
        let bare = |text: &'static str| bare::<u64>(&DeValue::String(text.into()));
        assert_eq!(bare(" 7 "), Some("7".to_owned()));
        for text in ["", "-7", "seven", "7\ny = 1", "7.5", "true"] {
            assert_eq!(bare(text), None, "{text:?}");
        }
    }
}

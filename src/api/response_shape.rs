//! The shape of the provider's answers: fields and their types, status words, rows per page,
//! success codes. Only warnings and the alert `provider_changed` depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call_metrics::call_word;
use super::error::Call;
use super::printable;
use crate::core::snapshot::Status;

/// Maximum number of rows of a page that are sampled.
const MOST_ROWS: usize = 100;
/// Maximum number of fields and of words that are stored.
const MOST: usize = 200;
/// Maximum number of characters of a provider's word that are stored.
const WORD: usize = 40;
/// The path of a row.
const ROW: &str = "results[]";

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Any other number.
    Number,
    /// A string.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// The shape of a listing's first page, and the codes of successful changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseShape {
    /// The types of each field, by its path such as `results[].server.name`.
    pub fields: BTreeMap<String, BTreeSet<JsonType>>,
    /// The status words of snapshots.
    pub words: BTreeSet<String>,
    /// Number of rows per page, if there are several pages.
    pub page: Option<u64>,
    /// The codes of successful changes, by call.
    pub codes: BTreeMap<String, BTreeSet<u16>>,
}

impl JsonType {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_u64() || number.is_i64() => Self::Integer,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl ResponseShape {
    /// Returns the shape of a page; `None` if the body is not a page.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let mut shape = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(body);
        PageShape(&mut shape).deserialize(&mut reader).ok()?;
        Some(shape)
    }

    /// Adds a sample to the learned shape and returns what is new or missing, in words.
    pub fn learn(&mut self, seen: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let first = self.fields.is_empty();
        let knows_rows = self.fields.keys().any(|field| field.starts_with(ROW));
        for (field, types) in &seen.fields {
            let known = self.fields.entry(field.clone()).or_default();
            if field.starts_with(ROW) && !knows_rows {
                // The first rows of an account that was empty are learned without a warning.
                known.extend(types);
                continue;
            }
            // While a snapshot is not completed, any field of its row may be `null`.
            let of_row = field.starts_with(ROW);
            let told = |one: &&JsonType| !(of_row && **one == JsonType::Null);
            let new = types.difference(known).filter(told);
            let new: Vec<_> = new.map(|one| one.word()).collect();
            if !new.is_empty() {
                let how = if known.is_empty() { "is new" } else { "may be" };
                changes.push(match how {
                    "is new" => format!("{field} is new: {}", new.join(" or ")),
                    _ => format!("{field} can also be {}", new.join(" or ")),
                });
            }
            known.extend(types);
        }
        let rows = seen.fields.keys().any(|field| field.starts_with(ROW));
        let looked_for = |field: &str| rows || !field.starts_with(ROW);
        self.fields.retain(|field, _| {
            let missing = looked_for(field) && !seen.fields.contains_key(field);
            if missing {
                changes.push(format!("{field} is missing"));
            }
            !missing
        });
        let new = seen.words.difference(&self.words);
        let unheard = |word: &&String| matches!(Status::parse(word), Status::Unknown(_));
        for word in new.filter(|word| knows_rows && unheard(word)) {
            changes.push(format!("a snapshot can have the status {word:?}"));
        }
        self.words.extend(seen.words.iter().cloned());
        if let Some(page) = seen.page.filter(|page| self.page != Some(*page)) {
            changes.push(format!("a page has {page} rows"));
            self.page = Some(page);
        }
        for (call, codes) in &seen.codes {
            let known = self.codes.entry(call.clone()).or_default();
            if !known.is_empty() {
                let new = codes.difference(known);
                changes.extend(new.map(|code| format!("{call} is answered with {code}")));
            }
            known.extend(codes);
        }
        if first { Vec::new() } else { changes }
    }

    /// Names the fields that rotation needs and the rows lack. `None` if no field is missing or
    /// there are no rows.
    pub fn lacks(&self) -> Option<String> {
        if !self.fields.keys().any(|field| field.starts_with(ROW)) {
            return None;
        }
        let is = |field: &str, wanted: &[JsonType]| {
            let types = self.fields.get(&format!("{ROW}.{field}"));
            types.is_some_and(|types| types.iter().all(|one| wanted.contains(one)))
        };
        let id = [JsonType::Integer, JsonType::String];
        let named = |field: &str| [format!("{field}id"), format!("{field}uuid")];
        let mut lacking: Vec<&str> = Vec::new();
        for (field, sound) in [
            ("id", named("").iter().any(|one| is(one, &id))),
            ("name", is("name", &[JsonType::String])),
            ("status", is("status", &[JsonType::String])),
            (
                "created_at",
                is("created_at", &[JsonType::String, JsonType::Null]),
            ),
            ("server", is("server", &[JsonType::Object])),
            ("server.id", named("server.").iter().any(|one| is(one, &id))),
        ] {
            if !sound {
                lacking.push(field);
            }
        }
        (!lacking.is_empty()).then(|| {
            format!(
                "the listing's rows no longer have these fields in a readable form: {}; rotation needs them and changes nothing without them",
                lacking.join(", ")
            )
        })
    }
}

/// Reads a page's shape without keeping its rows.
struct PageShape<'a>(&'a mut ResponseShape);

impl<'de> DeserializeSeed<'de> for PageShape<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageShape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut rows = 0;
        let mut next = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "results" {
                rows = map.next_value_seed(RowsShape(self.0))?;
                note(&mut self.0.fields, "results", JsonType::Array);
                continue;
            }
            let value: Value = map.next_value()?;
            next |= key == "next" && !value.is_null();
            note(&mut self.0.fields, &key, JsonType::of(&value));
        }
        self.0.page = next.then_some(rows);
        Ok(())
    }
}

/// Reads the rows' shape and returns their number.
struct RowsShape<'a>(&'a mut ResponseShape);

impl<'de> DeserializeSeed<'de> for RowsShape<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsShape<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while count < MOST_ROWS as u64 {
            let Some(row) = rows.next_element::<Value>()? else {
                return Ok(count);
            };
            count += 1;
            self.0.row(ROW, &row);
        }
        while rows.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

impl ResponseShape {
    fn row(&mut self, path: &str, row: &Value) {
        let Value::Object(fields) = row else {
            return note(&mut self.fields, path, JsonType::of(row));
        };
        for (key, value) in fields {
            let field = format!("{path}.{key}");
            note(&mut self.fields, &field, JsonType::of(value));
            match value {
                Value::Object(_) if path == ROW => self.row(&field, value),
                Value::String(word)
                    if path == ROW && key == "status" && self.words.len() < MOST =>
                {
                    self.words.insert(printable(word, WORD));
                }
                _ => {}
            }
        }
    }
}

fn note(fields: &mut BTreeMap<String, BTreeSet<JsonType>>, path: &str, of: JsonType) {
    let path = printable(path, 3 * WORD);
    if fields.len() < MOST || fields.contains_key(&path) {
        fields.entry(path).or_default().insert(of);
    }
}

/// Samples the shape of a listing on request.
#[derive(Debug, Default)]
pub(super) struct ShapeSampler(Mutex<SampledSink>);

#[derive(Debug, Default)]
struct SampledSink {
    wanted: bool,
    seen: Option<ResponseShape>,
    codes: BTreeMap<String, BTreeSet<u16>>,
}

impl ShapeSampler {
    fn lock(&self) -> std::sync::MutexGuard<'_, SampledSink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a sample of the next listing.
    pub(super) fn want(&self) {
        self.lock().wanted = true;
    }

    /// Samples a page of a listing, usually the first one, if a sample is wanted.
    pub(super) fn look(&self, body: &[u8]) {
        let mut sampled = self.lock();
        if sampled.wanted {
            let seen = ResponseShape::of(body);
            // While a needed field is missing, each page is sampled.
            sampled.wanted = seen.as_ref().is_some_and(|seen| seen.lacks().is_some());
            sampled.seen = seen;
        }
    }

    /// Records the status code of a successful change.
    pub(super) fn answered(&self, call: Call, status: u16) {
        let mut sampled = self.lock();
        let codes = sampled.codes.entry(call_word(call).to_owned()).or_default();
        codes.insert(status);
    }

    /// Returns the requested sample, if a listing has arrived since the request.
    pub(super) fn take(&self) -> Option<ResponseShape> {
        let mut sampled = self.lock();
        let seen = sampled.seen.take()?;
        Some(ResponseShape {
            codes: sampled.codes.clone(),
            ..seen
        })
    }
}

#[cfg(test)]
#[path = "response_shape_tests.rs"]
mod tests;

//! Deserialization of JSON that never fails because of a value's type.
//!
//! One wrong field in one row must not make a listing of 50,000 rows fail, and the listing must not
//! be parsed into a tree of values first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::core::snapshot::{ServerId, SnapshotId};

/// A scalar field of any type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// `null` or missing.
    #[default]
    Null,
    /// A non-negative whole number.
    Number(u64),
    Text(Cow<'a, str>),
    /// Anything else.
    Other,
}

impl Scalar<'_> {
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as an identifier, if it is one.
    pub(super) fn id<I: From<u64> + FromStr>(&self) -> Option<I> {
        match self {
            Self::Number(number) => Some((*number).into()),
            Self::Text(text) => text.parse().ok(),
            Self::Null | Self::Other => None,
        }
    }
}

/// Returns the ids of a row: its `id` and, if it is readable and differs, its `uuid`; or only its
/// `uuid` if it has no `id`. `None` if the `id`, or the `uuid` in its place, can't be read.
fn known_by<I: From<u64> + FromStr + PartialEq>(
    id: &Scalar,
    uuid: &Scalar,
) -> Option<(I, Option<I>)> {
    let other = uuid.id();
    if *id == Scalar::Null {
        return other.map(|uuid| (uuid, None));
    }
    let id = id.id()?;
    let other = other.filter(|other| *other != id);
    Some((id, other))
}

/// A snapshot's row. All fields are [`Scalar::Null`] if it is not an object.
#[derive(Debug, Default)]
pub(super) struct SnapshotRow<'a> {
    /// Set if a key appears twice: readers disagree on which value counts.
    pub repeats: bool,
    pub id: Scalar<'a>,
    pub uuid: Scalar<'a>,
    pub server: ServerRow<'a>,
    pub name: Scalar<'a>,
    pub status: Scalar<'a>,
    pub size_mb: Scalar<'a>,
    pub created_at: Scalar<'a>,
}

/// The `server` of a row. All fields are [`Scalar::Null`] if it is not an object.
#[derive(Debug, Default)]
pub(super) struct ServerRow<'a> {
    /// Set if a key appears twice, or if the row has two `server` keys.
    pub repeats: bool,
    pub id: Scalar<'a>,
    pub uuid: Scalar<'a>,
    pub name: Scalar<'a>,
    pub hostname: Scalar<'a>,
    pub status: Scalar<'a>,
}

/// The answer to a restore. All fields are [`Scalar::Null`] if it is not an object.
#[derive(Debug, Default)]
pub(super) struct RestoreRow<'a> {
    pub status: Scalar<'a>,
    pub snapshot: SnapshotRow<'a>,
}

impl SnapshotRow<'_> {
    /// Returns its ids; see [`known_by`].
    pub(super) fn known_by(&self) -> Option<(SnapshotId, Option<SnapshotId>)> {
        known_by(&self.id, &self.uuid)
    }
}

impl ServerRow<'_> {
    /// Returns its ids; see [`known_by`].
    pub(super) fn known_by(&self) -> Option<(ServerId, Option<ServerId>)> {
        known_by(&self.id, &self.uuid)
    }

    /// Returns its name, or its hostname if it has no name; and its hostname if that differs.
    pub(super) fn named(&self) -> Option<(&str, Option<&str>)> {
        match (self.name.text(), self.hostname.text()) {
            (Some(name), host) => Some((name, host.filter(|host| *host != name))),
            (None, host) => host.map(|host| (host, None)),
        }
    }
}

/// A type that can be read from any JSON value.
trait Lenient<'de>: Default {
    fn number(_: u64) -> Self {
        Self::other()
    }

    fn text(_: Cow<'de, str>) -> Self {
        Self::other()
    }

    fn other() -> Self {
        Self::default()
    }

    /// Reads one entry of an object.
    fn entry<A: MapAccess<'de>>(&mut self, _key: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }

    /// Records that a key occurs twice in an object. The later value is used.
    fn repeated(&mut self, _key: &str) {}
}

impl<'de> Lenient<'de> for Scalar<'de> {
    fn number(number: u64) -> Self {
        Self::Number(number)
    }

    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn other() -> Self {
        Self::Other
    }
}

impl<'de> Lenient<'de> for ServerRow<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = map.next_value()?,
            "uuid" => self.uuid = map.next_value()?,
            "name" => self.name = map.next_value()?,
            "hostname" => self.hostname = map.next_value()?,
            "status" => self.status = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn repeated(&mut self, _key: &str) {
        self.repeats = true;
    }
}

impl<'de> Lenient<'de> for SnapshotRow<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = map.next_value()?,
            "uuid" => self.uuid = map.next_value()?,
            "server" => self.server = map.next_value()?,
            "name" => self.name = map.next_value()?,
            "status" => self.status = map.next_value()?,
            "size_mb" => self.size_mb = map.next_value()?,
            "created_at" => self.created_at = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn repeated(&mut self, key: &str) {
        self.repeats = true;
        self.server.repeats |= key == "server";
    }
}

impl<'de> Lenient<'de> for RestoreRow<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "status" => self.status = map.next_value()?,
            "snapshot" => self.snapshot = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::other())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::other();
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let key = match key {
                Scalar::Text(key) => key,
                _ => Cow::default(),
            };
            object.entry(&key, &mut map)?;
            if keys.contains(&key) {
                object.repeated(&key);
            } else {
                keys.insert(key);
            }
        }
        Ok(object)
    }
}

macro_rules! lenient {
    ($($name:ident),*) => {$(
        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(LenientVisitor(PhantomData::<$name<'de>>))
            }
        }
    )*};
}

lenient!(Scalar, SnapshotRow, ServerRow, RestoreRow);

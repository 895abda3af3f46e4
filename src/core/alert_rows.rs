//! Serializes alerts as rows, since JSON keys can't have two parts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert_kind::{AlertKind, RaisedAlert};
use super::alert_text::AlertText;
use super::order_terms::OrderTerms;

type AlertMap = BTreeMap<(AlertKind, String), RaisedAlert>;

/// Earlier versions wrote the reason as a string, and rows without the third or the fourth part.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RowText {
    Parts(AlertText),
    Reason(String),
}

#[derive(Serialize, Deserialize)]
struct Row(
    (AlertKind, String),
    RowText,
    #[serde(default)] Option<Timestamp>,
    #[serde(default)] Option<Box<OrderTerms>>,
);

pub(super) fn serialize<S: serde::Serializer>(
    alerts: &AlertMap,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let row = |(key, standing): (&(AlertKind, String), &RaisedAlert)| {
        let text = RowText::Parts(standing.text.clone());
        Row(
            key.clone(),
            text,
            standing.since,
            standing.acknowledged.clone(),
        )
    };
    let rows: Vec<_> = alerts.iter().map(row).collect();
    rows.serialize(serializer)
}

pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<AlertMap, D::Error> {
    let rows: Vec<Row> = Vec::deserialize(deserializer)?;
    let alert = |Row(key, text, since, acknowledged)| {
        let text = match text {
            RowText::Parts(text) => text,
            RowText::Reason(reason) => reason.into(),
        };
        let raised = RaisedAlert {
            text,
            since,
            acknowledged,
        };
        (key, raised)
    };
    Ok(rows.into_iter().map(alert).collect())
}

//! stub
#![allow(missing_docs)]
use crate::core::{fact::Fact, history::History, snapshot::ServerId};
use jiff::Timestamp;
use std::collections::BTreeMap;
pub struct Entry {
    pub time: Timestamp,
    pub server: Option<ServerId>,
    pub event: Event,
    pub extra: Extra,
}
#[derive(Clone, Debug, Default)]
pub struct Extra {
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration_ms: Option<u64>,
}
pub enum Event {
    Fact(Fact),
    Wide(Wide),
}
#[derive(Clone, Debug, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Wide {
    AlertRaised {
        alert: String,
        about: String,
        reason: String,
    },
    AlertCleared {
        alert: String,
        about: String,
    },
}
#[derive(Clone)]
pub struct Trail;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct TrailError;
pub struct Opened {
    pub histories: BTreeMap<ServerId, History>,
    pub wide_alerts: BTreeMap<(String, String), String>,
    pub notices: Vec<Wide>,
    pub hold_creates: bool,
}
impl Trail {
    pub async fn append(&self, _e: Vec<Entry>) -> Result<(), TrailError> {
        Ok(())
    }
}

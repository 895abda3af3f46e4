//! The alerts of a period: those that were cleared in it, and those that were active at its end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An alert of the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// The kind of the alert.
    pub alert: String,
    /// The rotation or snapshot that it is about, or the server's id.
    pub about: String,
    /// When it was raised; `null` if that is no longer recorded.
    pub since: Option<Timestamp>,
    /// When it was cleared; `null` if it was active at the end of the period.
    pub mended: Option<Timestamp>,
}

/// The alerts of one server, or of the account and the service.
#[derive(Clone, Debug, Default)]
pub(super) struct AlertTally {
    active: BTreeMap<(String, String), Option<Timestamp>>,
    mended: Vec<Fault>,
}

impl AlertTally {
    /// Adds an alert of a checkpoint, which may be older than the records that are read.
    pub(super) fn stood(&mut self, alert: &str, about: &str, since: Option<Timestamp>) {
        self.active
            .entry((alert.to_owned(), about.to_owned()))
            .or_insert(since);
    }

    /// Adds an alert that was raised. Returns false if it was active already: an alert is recorded
    /// again when its text changes.
    pub(super) fn raised(&mut self, alert: &str, about: &str, at: Timestamp) -> bool {
        let entry = self.active.entry((alert.to_owned(), about.to_owned()));
        let new = matches!(entry, Entry::Vacant(_));
        entry.or_insert(Some(at));
        new
    }

    /// Removes an alert that was cleared, and keeps it as mended if that was in the period.
    pub(super) fn cleared(&mut self, alert: &str, about: &str, at: Timestamp, in_period: bool) {
        let since = self.active.remove(&(alert.to_owned(), about.to_owned()));
        if in_period {
            self.mended.push(Fault {
                alert: alert.to_owned(),
                about: about.to_owned(),
                since: since.flatten(),
                mended: Some(at),
            });
        }
    }

    /// Removes the active alerts: the server no longer has a policy.
    pub(super) fn forget(&mut self) {
        self.active.clear();
    }

    /// Returns the alerts that were cleared in the period, and then those that were active at its
    /// end.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let open = self.active.iter().map(|((alert, about), since)| Fault {
            alert: alert.clone(),
            about: about.clone(),
            since: *since,
            mended: None,
        });
        self.mended.iter().cloned().chain(open).collect()
    }
}

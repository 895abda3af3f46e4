//! Alerts that an operator acknowledges: their receivers get no repeats.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Engine, lock};
use crate::api::SnapshotApi;
use crate::audit::{Details, TrailError};
use crate::core::order_terms::OrderTerms;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::server_event::{AlertKind, ServerEvent};
use crate::core::snapshot::ServerId;

/// The alerts that were acknowledged, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckResult {
    /// Each alert: its kind, and what it is about if that is not the server.
    pub alerts: Vec<String>,
}

/// Why no alert was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AckError {
    /// The order can't be recorded.
    #[error("the acknowledgement can't be recorded, so nothing has changed: {0}")]
    Trail(#[from] TrailError),
    /// The server has no policy.
    #[error("the server has no policy, so it has no alerts")]
    NoPolicy,
    /// There is no alert of this kind.
    #[error("{named} is not an alert about a server: name one of {known}")]
    Unknown {
        /// The kind that was named.
        named: String,
        /// The kinds of the server's active alerts, else all kinds.
        known: String,
    },
    /// The alert is not active.
    #[error("no alert {named} is active on the server; active: {active}")]
    NotActive {
        /// The kind that was named.
        named: String,
        /// The kinds of the server's active alerts.
        active: String,
    },
    /// No alert is active.
    #[error("no alert is active on the server: there is nothing to acknowledge")]
    Nothing,
}

impl<A: SnapshotApi> Engine<A> {
    /// Acknowledges the active alerts of this kind or, if none is named, all active alerts of the
    /// server.
    pub async fn acknowledge(
        &self,
        server: &ServerId,
        alert: Option<&str>,
        terms: OrderTerms,
    ) -> Result<AckResult, AckError> {
        let _renaming = self.renaming.lock().await;
        let wanted = self.wanted();
        let server = self.id_of_state(server, &wanted);
        if self.policy_of_state(&server, &wanted).is_none() {
            return Err(AckError::NoPolicy);
        }
        let runtime = self.runtime(&server);
        let active: Vec<_> = lock(&runtime).history.alerts.keys().cloned().collect();
        let chosen = chosen(&active, alert)?;
        let terms = terms.printable();
        let mut result = AckResult::default();
        for (kind, about) in chosen {
            let event = ServerEvent::AlertAcknowledged {
                alert: kind,
                about: about.clone(),
                terms: terms.clone(),
            };
            self.record(&server, &runtime, event, Details::default())
                .await?;
            let of_server = about == server.to_string();
            let about = (!of_server).then(|| printable(&about, NAME_SHOWN));
            let about = about.map_or_else(String::new, |about| format!(" ({about})"));
            result.alerts.push(format!("{}{about}", kind.word()));
        }
        Ok(result)
    }
}

/// Returns the active alerts of the named kind, or all of them.
fn chosen(
    active: &[(AlertKind, String)],
    named: Option<&str>,
) -> Result<Vec<(AlertKind, String)>, AckError> {
    if active.is_empty() && named.is_none() {
        return Err(AckError::Nothing);
    }
    let Some(named) = named else {
        return Ok(active.to_vec());
    };
    let words = |kinds: BTreeSet<&str>| kinds.into_iter().collect::<Vec<_>>().join(", ");
    let kinds = words(active.iter().map(|(kind, _)| kind.word()).collect());
    let Some(kind) = AlertKind::of_word(named) else {
        let every = words(AlertKind::ALL.into_iter().map(AlertKind::word).collect());
        return Err(AckError::Unknown {
            named: printable(named, NAME_SHOWN),
            known: if kinds.is_empty() { every } else { kinds },
        });
    };
    let chosen = active.iter().filter(|(of, _)| *of == kind);
    let chosen: Vec<_> = chosen.cloned().collect();
    if chosen.is_empty() {
        let none = || "none".to_owned();
        return Err(AckError::NotActive {
            named: named.to_owned(),
            active: if kinds.is_empty() { none() } else { kinds },
        });
    }
    Ok(chosen)
}

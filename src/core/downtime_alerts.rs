//! The alerts of a server that a rotation stops: it is down for too long, or ran while its snapshot
//! was made.

use super::decide::Step;
use super::downtime_record::Downtime;
use super::policy::Policy;
use super::sanitize::utc;
use super::server_event::{AlertKind, AlertText, KeyedAlert, Outcome, ServerEvent};
use super::server_start::OwedStart;

impl OwedStart<'_> {
    /// Returns the record of a server that is running while its snapshot is made. Two consecutive
    /// states must show it, since a single one may be stale.
    pub(super) fn ran_meanwhile(&self) -> Option<ServerEvent> {
        let downtime = self.downtime;
        let ordered = downtime.starts > 0 || !downtime.stopped;
        let told = self.history.ran_during_snapshot(&downtime.rotation);
        let told = told.is_some_and(|ran| *ran.name == *downtime.snapshot);
        if told || ordered || self.making().is_none() {
            return None;
        }
        let twice = self.now.mono - downtime.active? >= self.rules.poll_interval;
        let (rotation, snapshot) = (downtime.rotation.clone(), downtime.snapshot.clone());
        let reason =
            "the server was stopped for the snapshot, but was active while the snapshot was created".to_owned();
        twice.then_some(ServerEvent::ServerRan {
            rotation,
            snapshot,
            reason,
        })
    }

    /// Returns the alert for a server that has been stopped for too long. It needs no listing, so
    /// it is raised at once.
    pub(super) fn raised(&self) -> Option<Step> {
        let (key, text) = self.too_long()?;
        // Without a policy, nothing else updates the alert's text.
        let stands = self.history.alerts.get(&key);
        if stands.is_some_and(|stands| self.policy.is_some() || stands.text == text) {
            return None;
        }
        let (alert, about) = key;
        Some(Step::Record(ServerEvent::AlertRaised {
            alert,
            about,
            text,
        }))
    }

    /// Returns the alert if the server has been down for longer than permitted, can't be started,
    /// has no policy any more, or can't be watched after a refused stop.
    pub(super) fn too_long(&self) -> Option<KeyedAlert> {
        let Downtime {
            rotation,
            snapshot,
            starts,
            refused,
            answer,
            ..
        } = self.downtime;
        let late = self.stop().is_some_and(|stop| self.lasts() >= stop.longest);
        // The second start follows only if the first had no effect.
        let unable = *starts > 1 && (refused.is_some() || self.stop().is_none());
        let watched = self.downtime.active.is_some() || self.downtime.is_doubtful();
        // Without a policy, nothing else shows that a server is down.
        let orphaned = self.policy.is_none();
        // The previous process may have raised the alert when it ended.
        let key = (AlertKind::ServerStopped, rotation.clone().into());
        let active = self.history.alerts.contains_key(&key);
        let alerts = (!watched && (late || unable || orphaned || active)) || self.is_blind();
        if !alerts {
            return None;
        }
        let since = utc(self.downtime.since.wall);
        let what = if self.downtime.stopped {
            format!("the server has been stopped since {since} for {snapshot}")
        } else {
            format!("at {since}, the server was asked to stop for {snapshot}")
        };
        let tried = match (starts, refused) {
            (0, _) => "it will be started",
            (_, Some(_)) if matches!(answer, Some(Outcome::Failed | Outcome::NoServer)) => {
                "its start was refused and is retried"
            }
            (_, Some(_)) => "its start failed and is retried",
            _ => "its start is retried",
        };
        let gone = if self.policy.is_none() {
            "; no policy in force names it by this id"
        } else {
            ""
        };
        let of = self.policy.map(Policy::argument);
        let text = AlertText::new(format!(
            "{what}, and has not been seen active since: {tried}{gone}"
        ))
        .cause(refused.as_deref());
        let start = "if that takes too long, start it at the provider";
        // A resume gives up the start only once enough starts have been sent.
        let text = if self.downtime.is_out_of_starts() {
            let first = format!("{start}; if it no longer exists, run");
            let of = of.as_deref().unwrap_or("ID");
            text.only_then_run(&first, format!("snaprotate resume {of}"))
        } else {
            text.remedy(start)
        };
        Some((key, text))
    }
}

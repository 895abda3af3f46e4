//! The alerts of a server that a rotation stops: it is down for too long, or ran while its snapshot
//! was made.

use super::decide::Step;
use super::downtime_record::Downtime;
use super::sanitize::utc;
use super::server_event::{AlertKind, Outcome, ServerEvent};
use super::server_start::OwedStart;

impl OwedStart<'_> {
    /// Returns the record that the server runs while its snapshot is made. Two looks in a row must
    /// show it, since one reported state may be stale.
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

    /// Returns the alert for a server that has been stopped for too long. It needs nothing else, so
    /// it is raised at once.
    pub(super) fn raised(&self) -> Option<Step> {
        let (key, reason) = self.too_long()?;
        // Without a policy nothing else updates its reason.
        let stands = self.history.alerts.get(&key);
        if stands.is_some_and(|stands| self.policy.is_some() || stands.reason == reason) {
            return None;
        }
        let (alert, about) = key;
        Some(Step::Record(ServerEvent::AlertRaised {
            alert,
            about,
            reason,
        }))
    }

    /// Returns the alert if the server has been down longer than permitted, or can't be started.
    pub(super) fn too_long(&self) -> Option<((AlertKind, String), String)> {
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
        // The process before may have raised the alert at its end.
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
            (0, _) => "it will be started".to_owned(),
            (_, Some(said)) => {
                let refused = matches!(answer, Some(Outcome::Failed | Outcome::NoServer));
                let what = if refused { "was refused" } else { "failed" };
                format!("its start {what} (the provider says \"{said}\") and is retried")
            }
            _ => "its start is retried".to_owned(),
        };
        let gone = if self.policy.is_none() {
            "; no policy in force names it by this id"
        } else {
            ""
        };
        let of = self.policy.map(|policy| policy.server.to_string());
        let of = of.as_deref().unwrap_or("ID");
        // Before that, a resume doesn't give up the start.
        let resume = if self.downtime.is_out_of_starts() {
            format!("; if the server no longer exists, run snaprotate resume {of}")
        } else {
            String::new()
        };
        let reason = format!(
            "{what}, and has not been seen active since: {tried}; if that takes too long, start it at the provider{gone}{resume}"
        );
        Some((key, reason))
    }
}

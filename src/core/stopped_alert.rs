//! The alert of a server that a rotation keeps stopped for too long.

use super::event::{AlertKind, Outcome};
use super::sanitize::utc;
use super::server_downtime::Downtime;
use super::server_restart::OwedStart;

impl OwedStart<'_> {
    /// Returns the alert if the server is down longer than permitted, or can't be started.
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
        if watched || !(late || unable) {
            return None;
        }
        let since = utc(self.downtime.since.wall);
        let what = if self.downtime.stopped {
            format!("the server is stopped since {since} for {snapshot}")
        } else {
            format!("the server was to be stopped at {since} for {snapshot}")
        };
        let tried = match (starts, refused) {
            (0, _) => "its start follows".to_owned(),
            (_, Some(said)) => {
                let refused = matches!(answer, Some(Outcome::Failed | Outcome::NoServer));
                let what = if refused {
                    "is refused"
                } else {
                    "came to nothing"
                };
                format!("its start {what} (the provider says \"{said}\"), and is tried again")
            }
            _ => "its start is tried again".to_owned(),
        };
        let gone = self.policy.map_or_else(
            || "its policy is gone".to_owned(),
            |policy| {
                let server = &policy.server;
                format!("if there is no such server any more, snaprotate resume --server {server}")
            },
        );
        let reason =
            format!("{what}, and not seen active again: {tried}; start it at the provider; {gone}");
        Some(((AlertKind::ServerStopped, rotation.clone()), reason))
    }
}

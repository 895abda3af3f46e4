//! The calls that stop a server for its snapshot and start it again.

use serde::Serialize;

use super::error::{ApiError, Call};
use super::http::HttpApi;
use super::lenient_json::ServerRow;
use super::rate_limit::Permit;
use crate::core::sanitize::printable;
use crate::core::server_info::{PowerState, ServerInfo};
use crate::core::snapshot::ServerId;

/// Maximum number of characters of an error that are shown with a server's state.
const ERROR_SHOWN: usize = 160;

/// The action of a power call. No action cuts the power of a running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// Shuts the server down.
    Stop,
    /// Starts the server.
    Start,
}

#[derive(Serialize)]
struct PowerBody {
    action: PowerAction,
}

impl HttpApi {
    /// Requests the server's state once. A failure is returned as a state that leaves open whether
    /// the server is running.
    pub(super) async fn ask_state(&self, pass: Permit, server: &ServerId) -> ServerInfo {
        let what = format!("get the state of server {server}");
        let url = self.url(&format!("/servers/{}/", server.component()));
        let request = self.reading.get(url);
        let answer = self.send(Call::List, &what, request, self.max_body).await;
        drop(pass);
        let answer = answer.map_err(|failure| failure.error);
        let told = answer.and_then(|answer| {
            let unreadable = |reason: String| self.unreadable(&what, &reason, &answer);
            detail(&answer.body, server).map_err(unreadable)
        });
        told.unwrap_or_else(|error| match error.status {
            Some(404 | 405) => PowerState::NotOffered.into(),
            _ => PowerState::Untold(printable(&error.message, ERROR_SHOWN).into()).into(),
        })
    }

    /// Sends a power call exactly once. Only the server's state shows the effect.
    pub(super) async fn send_power(
        &self,
        pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> Result<(), ApiError> {
        let what = match action {
            PowerAction::Stop => format!("stop server {server}"),
            PowerAction::Start => format!("start server {server}"),
        };
        let url = self.url(&format!("/servers/{}/power/", server.component()));
        let request = self.changing.post(url).json(&PowerBody { action });
        self.change(pass, Call::Power, &what, request, |_| Ok(()))
            .await
    }
}

/// Reads the answer, which must be about this server.
fn detail(body: &[u8], asked: &ServerId) -> Result<ServerInfo, String> {
    let row: ServerRow = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if row.repeats {
        return Err("it has a duplicate key".to_owned());
    }
    let other_id = match row.known_by() {
        Some((id, uuid)) if id == *asked => uuid,
        Some((id, Some(uuid))) if uuid == *asked => Some(id),
        // A number and a string can't be compared, so the answer is accepted: the path named
        // the server.
        Some((id, None)) if !id.is_same_kind(asked) => Some(id),
        Some((id, _)) => return Err(format!("it is about server {id}")),
        None => None,
    };
    let word = row.status.text().ok_or("it has no status")?;
    let (name, hostname) = row.named().unzip();
    Ok(ServerInfo {
        state: PowerState::of(word),
        name: name.map(str::to_owned),
        hostname: hostname.flatten().map(str::to_owned),
        other_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_accepted_only_from_an_answer_about_the_requested_server() {
        let of = |body: &str, id: &str| {
            let detail = detail(body.as_bytes(), &id.parse().unwrap());
            detail.map(|detail| detail.state)
        };
        let active = Ok(PowerState::Active);
        let uuid = "6f1c2a34-0000-4000-8000-000000000007";
        let both = format!(r#"{{"id": 7, "uuid": "{uuid}", "status": "active"}}"#);
        assert_eq!(of(&both, "7"), active);
        assert_eq!(of(&both, uuid), active);
        assert_eq!(of(r#"{"id": 7, "status": "active"}"#, uuid), active);
        assert_eq!(of(r#"{"status": "active"}"#, "7"), active);
        assert_eq!(
            of(r#"{"id": 7, "status": "suspended"}"#, "7"),
            Ok(PowerState::Other("suspended".into()))
        );
        for (body, why) in [
            (r#"{"id": 8, "status": "active"}"#, "it is about server 8"),
            (r#"{"id": 7, "status": null}"#, "it has no status"),
            (r#"{"id": 7}"#, "it has no status"),
            (
                r#"{"id": 7, "status": "stopped", "status": "active"}"#,
                "it has a duplicate key",
            ),
        ] {
            assert_eq!(of(body, "7"), Err(why.to_owned()), "{body}");
        }
        assert!(of("<html>", "7").is_err());
    }
}

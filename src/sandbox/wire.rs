//! The JSON of the API, as docs/api.md shows it. It is written independently of the client's code,
//! so that each checks the other.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ids::{IdKind, IdShape};
use super::stored_snapshot::StoredSnapshot;

/// A server of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxServer {
    /// Its number, from which its id is derived in either shape.
    pub id: u64,
    /// Its name, which is also in the rows of its snapshots.
    pub name: String,
    /// `active`, `stopped`, `suspended` or, for a while, `restoring`.
    pub status: String,
}

/// Returns the time in UTC, in whole seconds, as the documentation shows it.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns one row of a listing.
pub(super) fn row(ids: IdShape, row: &StoredSnapshot, server_name: &str) -> String {
    Value::Object(snapshot(ids, row, server_name)).to_string()
}

/// Returns the answer to a create: the row and a message.
pub(super) fn created(ids: IdShape, row: &StoredSnapshot, server_name: &str) -> String {
    let mut shown = snapshot(ids, row, server_name);
    let message = json!("The snapshot is being created.");
    shown.insert("message".to_owned(), message);
    Value::Object(shown).to_string()
}

fn snapshot(ids: IdShape, row: &StoredSnapshot, server_name: &str) -> Map<String, Value> {
    let mut shown = ids.show(IdKind::Snapshot, row.id);
    let server = ids.server(row.server, server_name);
    let rest = [
        ("server", Value::Object(server)),
        ("name", json!(row.name)),
        ("status", json!(row.status)),
        ("size_mb", json!(row.size_mb)),
        ("created_at", json!(date(row.created_at))),
        ("description", json!(row.description)),
    ];
    shown.extend(rest.map(|(key, value)| (key.to_owned(), value)));
    shown
}

/// Returns the answer to `GET /servers/{id}/`, which is also a row of `GET /servers/`. It always
/// has a host name.
pub(super) fn server(ids: IdShape, server: &SandboxServer) -> String {
    let mut shown = ids.server(server.id, &server.name);
    shown.insert("hostname".to_owned(), json!(server.name));
    shown.insert("status".to_owned(), json!(server.status));
    Value::Object(shown).to_string()
}

/// Returns the answer to a restore.
pub(super) fn restoring(ids: IdShape, row: &StoredSnapshot, server: &SandboxServer) -> String {
    let mut snapshot = ids.show(IdKind::Snapshot, row.id);
    snapshot.insert("name".to_owned(), json!(row.name));
    snapshot.insert("created_at".to_owned(), json!(date(row.created_at)));
    let mut shown = ids.server(server.id, &server.name);
    shown.insert("status".to_owned(), json!(server.status));
    json!({
        "status": "success",
        "message": "The server is being restored.",
        "snapshot": snapshot,
        "server": shown,
    })
    .to_string()
}

/// Returns the answer to `GET /account/me/`.
pub(super) fn account(permissions: &[String]) -> String {
    json!({
        "account": {"id": 1, "email": "admin@example.org"},
        "token": {"name": "sandbox", "permissions": permissions},
    })
    .to_string()
}

/// Returns the body of a refusal.
pub(super) fn refusal(detail: &str) -> String {
    json!({ "detail": detail }).to_string()
}

/// Reads the body of a create. The error says what is wrong with it.
pub(super) fn create(ids: IdShape, body: &[u8]) -> Result<(u64, String, String), String> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("invalid JSON: {error}"))?;
    let server = body.get("server_id");
    let server = server.and_then(|id| ids.read(IdKind::Server, id));
    let server = server.ok_or("server_id: the id of a server is required")?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let description = match body.get("description") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err("description: not a string".to_owned()),
    };
    Ok((server, name.to_owned(), description.to_owned()))
}

/// The action of a power call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    /// Starts the server.
    Start,
    /// Shuts the server down.
    Stop,
    /// Restarts the server.
    Restart,
    /// Cuts the server's power.
    HardStop,
}

/// Reads the body of a power call. The error says what is wrong with it.
pub(super) fn power(body: &[u8]) -> Result<PowerAction, String> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("invalid JSON: {error}"))?;
    match body.get("action").and_then(Value::as_str) {
        Some("start") => Ok(PowerAction::Start),
        Some("stop") => Ok(PowerAction::Stop),
        Some("restart") => Ok(PowerAction::Restart),
        Some("hard_stop") => Ok(PowerAction::HardStop),
        _ => Err("action: start, stop, restart or hard_stop is required".to_owned()),
    }
}

/// Returns the answer to a power call.
pub(super) fn powered(ids: IdShape, server: &SandboxServer) -> String {
    let mut shown = ids.server(server.id, &server.name);
    shown.insert("status".to_owned(), json!(server.status));
    json!({"status": "success", "message": "The server's power state is being changed.", "server": shown})
        .to_string()
}

/// Returns true if the provider accepts this name: letters, digits, hyphens and underscores.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

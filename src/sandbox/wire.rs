//! The JSON of the API, as API.md shows it; written apart from the client's, so that each checks the other.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::rows::Row;

/// A server of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The provider's number for it.
    pub id: u64,
    /// Its name, part of each of its snapshots' rows.
    pub name: String,
    /// `active`, `stopped`, `suspended` or, for a while, `restoring`.
    pub status: String,
}

#[derive(Serialize)]
struct SnapshotOut<'a> {
    id: u64,
    server: ServerOut<'a>,
    name: &'a str,
    status: &'a str,
    size_mb: Option<u64>,
    created_at: String,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct ServerOut<'a> {
    id: u64,
    name: &'a str,
}

/// Whole seconds in UTC, as the documentation shows them.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// One row of a listing.
pub(super) fn row(row: &Row, server_name: &str) -> String {
    snapshot(row, server_name, None)
}

/// The answer to a create: the row and a message.
pub(super) fn created(row: &Row, server_name: &str) -> String {
    snapshot(row, server_name, Some("The snapshot is being created."))
}

fn snapshot(row: &Row, server_name: &str, message: Option<&str>) -> String {
    let out = SnapshotOut {
        id: row.id,
        server: ServerOut {
            id: row.server,
            name: server_name,
        },
        name: &row.name,
        status: &row.status,
        size_mb: row.size_mb,
        created_at: date(row.created_at),
        description: &row.description,
        message,
    };
    // Strings and numbers alone: nothing in it can fail.
    serde_json::to_string(&out).unwrap_or_default()
}

/// One row of the listing of servers.
pub(super) fn server(server: &Server) -> String {
    json!({"id": server.id, "name": server.name, "status": server.status}).to_string()
}

/// The answer to a restore.
pub(super) fn restoring(row: &Row, server: &Server) -> String {
    json!({
        "status": "success",
        "message": "The server is being restored.",
        "snapshot": {"id": row.id, "name": row.name, "created_at": date(row.created_at)},
        "server": {"id": server.id, "name": server.name, "status": server.status},
    })
    .to_string()
}

/// The answer to `GET /account/me/`.
pub(super) fn account() -> String {
    json!({
        "account": {"id": 1, "email": "admin@example.org"},
        "token": {"name": "sandbox", "permissions": ["snapshots"]},
    })
    .to_string()
}

/// The body of a refusal.
pub(super) fn refusal(detail: &str) -> String {
    json!({ "detail": detail }).to_string()
}

/// A create as it was sent, or why it isn't one.
pub(super) fn create(body: &[u8]) -> Result<(u64, String, String), String> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("invalid JSON: {error}"))?;
    let server = body.get("server_id").and_then(Value::as_u64);
    let server = server.ok_or("server_id: an integer is required")?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let description = match body.get("description") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err("description: not a string".to_owned()),
    };
    Ok((server, name.to_owned(), description.to_owned()))
}

/// Whether the provider takes this as a name: letters, digits, hyphens and underscores.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

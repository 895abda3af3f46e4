use std::io::Write as _;

use secrecy::SecretString;
use serde_json::json;
use tokio::time::Instant;

use super::super::ErrorKind;
use super::super::scripted_server::{ScriptStep, ScriptedServer, response};
use super::*;
use crate::api::rate_limit::RateSettings;
use crate::api::{
    ApiSettings, CreatedSnapshot, Listing, NewSnapshot, Proxy, SnapshotApi as _, TokenSource,
};
use crate::core::snapshot::{ServerId, SnapshotId};

#[path = "list_tests.rs"]
mod list;

const TOKEN: &str = "tok-5f0c2e91";
const SERVER: ServerId = ServerId::integer(1);

fn settings(base_url: String) -> ApiSettings {
    ApiSettings {
        base_url,
        token: TokenSource::Given(SecretString::from(TOKEN)),
        connect_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(5),
        rate: RateSettings {
            max_in_flight: 8,
            per_second: 0.0,
            burst: 1,
        },
        max_body: 1024 * 1024,
        ca_file: None,
        proxy: Proxy::None,
    }
}

fn client(server: &ScriptedServer) -> HttpApi {
    HttpApi::new(&settings(server.url()), Clock::system()).unwrap()
}

/// Returns a client that times out after 0.3 seconds.
fn hasty(server: &ScriptedServer) -> HttpApi {
    let request_timeout = Duration::from_millis(300);
    let settings = ApiSettings {
        request_timeout,
        ..settings(server.url())
    };
    HttpApi::new(&settings, Clock::system()).unwrap()
}

fn weekly() -> NewSnapshot {
    NewSnapshot {
        server: SERVER,
        name: "weekly-snapshot-2026-03-01".into(),
        description: Some("Weekly".into()),
    }
}

async fn create(api: &HttpApi) -> Result<CreatedSnapshot, ApiError> {
    let pass = api.admit().await.unwrap();
    api.create(pass, &weekly()).await
}

fn ok(body: &serde_json::Value) -> String {
    response("200 OK", "", &body.to_string())
}

fn row(id: u64, server: u64) -> serde_json::Value {
    json!({"id": id, "server": {"id": server, "name": "web"}, "name": format!("s-{id}"), "status": "completed"})
}

fn created() -> String {
    let mut body = row(801, SERVER.number().unwrap());
    body["name"] = json!(weekly().name);
    response("201 Created", "", &body.to_string())
}

#[tokio::test]
async fn the_four_calls_are_sent_as_documented() {
    let server = ScriptedServer::answers(&[
        ok(&json!({"count": 1, "results": [row(801, 1)]})),
        created(),
        response("204 No Content", "", ""),
        ok(&json!({"status": "success", "snapshot": {"id": 801}})),
        ok(&json!({"count": 0, "results": []})),
    ])
    .await;
    let api = client(&server);
    let listing = api.list(Some(SERVER)).await.unwrap();
    assert_eq!(
        listing.servers[&SERVER].snapshots[0].id,
        SnapshotId::from(801)
    );
    assert_eq!(create(&api).await.unwrap().id, SnapshotId::from(801));
    let pass = api.admit().await.unwrap();
    api.delete(pass, SnapshotId::from(801)).await.unwrap();
    let pass = api.admit().await.unwrap();
    api.restore(pass, SnapshotId::from(801)).await.unwrap();
    assert_eq!(
        api.list(None).await.unwrap(),
        Listing {
            pages: 1,
            ..Listing::default()
        }
    );

    let requests = server.requests();
    let lines: Vec<_> = requests
        .iter()
        .map(|text| text.lines().next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/snapshots/?server_id=1&page_size=100 HTTP/1.1",
            "POST /api/v1/snapshots/ HTTP/1.1",
            "DELETE /api/v1/snapshots/801/ HTTP/1.1",
            "POST /api/v1/snapshots/801/restore/ HTTP/1.1",
            "GET /api/v1/snapshots/?page_size=100 HTTP/1.1",
        ]
    );
    assert!(requests[1].ends_with(
        r#"{"server_id":1,"name":"weekly-snapshot-2026-03-01","description":"Weekly"}"#
    ));
    for request in requests {
        assert!(
            request.contains(&format!("authorization: Bearer {TOKEN}\r\n")),
            "{request}"
        );
        assert!(request.contains("user-agent: snaprotate/"), "{request}");
    }
}

#[tokio::test]
async fn each_error_status_is_mapped_to_its_error_kind() {
    for (status, kind) in [
        ("400 Bad Request", ErrorKind::Refused),
        ("401 Unauthorized", ErrorKind::Account),
        ("403 Forbidden", ErrorKind::Refused),
        ("404 Not Found", ErrorKind::Missing),
        ("409 Conflict", ErrorKind::Later),
        ("423 Locked", ErrorKind::Later),
        ("429 Too Many Requests", ErrorKind::Later),
        ("503 Service Unavailable", ErrorKind::Unknown),
    ] {
        let server =
            ScriptedServer::answers(&[response(status, "", "{\"error\":\n\"limit\"}")]).await;
        let error = create(&client(&server)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status}");
        assert_eq!(error.status.unwrap().to_string(), status[..3]);
        assert_eq!(
            error.message,
            format!("create \"weekly-snapshot-2026-03-01\" on server 1: answered {status}: limit")
        );
    }
    for (status, kind) in [
        ("401 No", ErrorKind::Account),
        ("403 No", ErrorKind::Account),
        ("404 No", ErrorKind::Missing),
    ] {
        let server = ScriptedServer::answers(&[response(status, "", "")]).await;
        assert_eq!(client(&server).list(None).await.unwrap_err().kind, kind);
        assert_eq!(server.requests().len(), 1, "{status} is not retried");
    }
}

#[tokio::test]
async fn i9_a_create_is_sent_once_whatever_comes_back() {
    let cut = b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"id\":".to_vec();
    for script in [
        vec![ScriptStep::Send(response("500 Oops", "", "").into())],
        vec![ScriptStep::Send(
            response("503 Busy", "Retry-After: 0\r\n", "").into(),
        )],
        vec![ScriptStep::Send(cut)],
        vec![],
        vec![ScriptStep::Hang],
        vec![ScriptStep::Send(
            response("201 Created", "", "<html>").into(),
        )],
    ] {
        let server = ScriptedServer::new(vec![script.clone()]).await;
        let error = create(&hasty(&server)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown, "{script:?}");
        assert_eq!(server.requests().len(), 1, "{script:?}");
    }
}

#[tokio::test]
async fn i9_i12_a_delete_or_restore_without_an_answer_is_sent_once() {
    let server = ScriptedServer::new(vec![vec![]]).await;
    let api = client(&server);
    let pass = api.admit().await.unwrap();
    assert_eq!(
        api.delete(pass, SnapshotId::from(1))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Unknown
    );
    let pass = api.admit().await.unwrap();
    assert_eq!(
        api.restore(pass, SnapshotId::from(1))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Unknown
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_answer_about_another_server_leaves_the_create_unknown() {
    let body = json!({"id": 801, "name": weekly().name, "server": {"id": 2}});
    let server = ScriptedServer::answers(&[response("201 Created", "", &body.to_string())]).await;
    let error = create(&client(&server)).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(201)));
    assert!(error.message.contains("it is about"), "{error}");
}

#[tokio::test]
async fn a_call_that_never_connected_is_known_to_have_had_no_effect() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let api = HttpApi::new(&settings(format!("http://{closed}")), Clock::system()).unwrap();
    let error = create(&api).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Later, None));
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn i13_a_redirect_is_refused_and_its_target_receives_no_byte() {
    let other = ScriptedServer::answers(&[ok(&json!({"count": 0, "results": []}))]).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("Location: http://{}/secret?t=1\r\n", other.address);
        let server = ScriptedServer::answers(&[response(status, &location, "")]).await;
        let api = client(&server);
        for error in [
            api.list(None).await.unwrap_err(),
            create(&api).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, ErrorKind::Later);
            let origin = format!("the redirect to http://{} is not followed", other.address);
            assert!(error.message.ends_with(&origin), "{error}");
        }
        assert_eq!(server.requests().len(), 2, "a redirect is not retried");
    }
    assert_eq!(other.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_to_its_end() {
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let endless = vec![
        ScriptStep::Send(head),
        ScriptStep::Send(chunk.repeat(300).into()),
        ScriptStep::Hang,
    ];
    let server = ScriptedServer::new(vec![endless]).await;
    let error = client(&server).list(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert!(error.message.contains("more than 1048576 bytes"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_dripping_body_is_aborted_at_the_deadline() {
    let head = b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n".to_vec();
    let server = ScriptedServer::new(vec![vec![ScriptStep::Send(head), ScriptStep::Drip]]).await;
    let began = Instant::now();
    let error = create(&hasty(&server)).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(201)));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_status_counts_even_if_its_body_drips() {
    let head = b"HTTP/1.1 409 Conflict\r\nContent-Length: 100000\r\n\r\nbusy".to_vec();
    let server = ScriptedServer::new(vec![vec![ScriptStep::Send(head), ScriptStep::Drip]]).await;
    let error = create(&hasty(&server)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Later);
    assert!(error.message.ends_with("409 Conflict: busy"), "{error}");
}

#[tokio::test]
async fn a_permit_is_returned_when_its_call_ends() {
    let server = ScriptedServer::answers(&[response("409 Conflict", "", "")]).await;
    let settings = ApiSettings {
        rate: RateSettings {
            max_in_flight: 1,
            per_second: 0.0,
            burst: 1,
        },
        ..settings(server.url())
    };
    let api = HttpApi::new(&settings, Clock::system()).unwrap();
    for _ in 0..3 {
        create(&api).await.unwrap_err();
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn i13_the_token_appears_in_no_error_and_no_debug_output() {
    let echo = format!("bad token {TOKEN}");
    let server = ScriptedServer::answers(&[
        response("400 Bad Request", "", &echo),
        response("201 Created", "", &echo),
        response("302 Found", &format!("Location: /{TOKEN}\r\n"), ""),
    ])
    .await;
    let api = client(&server);
    for _ in 0..3 {
        let error = create(&api).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains(TOKEN));
    }
    assert!(!format!("{api:?} {:?}", settings(server.url())).contains(TOKEN));
}

#[tokio::test]
async fn a_new_token_is_used_after_renew_and_stays_in_use_if_the_file_becomes_empty() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "first").unwrap();
    let server = ScriptedServer::answers(&[ok(&json!({"count": 0, "results": []}))]).await;
    let token = TokenSource::File(file.path().to_owned());
    let settings = ApiSettings {
        token,
        ..settings(server.url())
    };
    let api = HttpApi::new(&settings, Clock::system()).unwrap();
    api.list(None).await.unwrap();
    std::fs::write(file.path(), "second\n").unwrap();
    api.renew().unwrap();
    assert_eq!(api.token(), 1);
    api.renew().unwrap();
    assert_eq!(api.token(), 1, "rereading the same token is not a change");
    api.list(None).await.unwrap();
    std::fs::write(file.path(), "").unwrap();
    assert!(api.renew().unwrap_err().contains("empty"));
    api.list(None).await.unwrap();
    let sent: Vec<bool> = ["first", "second", "second"]
        .iter()
        .zip(server.requests())
        .map(|(token, request)| request.contains(&format!("Bearer {token}\r\n")))
        .collect();
    assert_eq!(sent, [true; 3]);
}

#[test]
fn i13_a_base_url_that_would_expose_the_token_is_refused() {
    for (url, word) in [
        ("http://admin.vps.org/api/v1", "unencrypted: write https://"),
        ("http://127.0.0.1.vps.org/", "unencrypted: write https://"),
        ("http://localhost.vps.org/", "unencrypted: write https://"),
        ("http://0.0.0.0/", "unencrypted: write https://"),
        ("ftp://admin.vps.org/", "not a web address"),
        ("admin.vps.org", "write base_url ="),
        (
            "https://me:secret@admin.vps.org/",
            "user name or a password",
        ),
        ("https://admin.vps.org/?a=b", "end with its path"),
    ] {
        let error = HttpApi::new(&settings(url.into()), Clock::system()).unwrap_err();
        assert!(error.contains(word) && !error.contains("secret"), "{error}");
    }
    for url in [
        "http://localhost:1/api/v1/",
        "http://[::1]:1",
        "http://127.0.0.9",
    ] {
        let client = HttpApi::new(&settings(url.into()), Clock::system());
        assert!(client.is_ok(), "{url}");
    }
}

#[tokio::test]
async fn i13_a_token_that_an_answer_repeats_in_json_escapes_is_removed_from_the_error() {
    let escaped = TOKEN.replace('f', "\\u0066");
    let body = format!(r#"{{"detail": "bad token {escaped}"}}"#);
    let server = ScriptedServer::answers(&[response("400 Bad", "", &body)]).await;
    let error = create(&client(&server)).await.unwrap_err();
    let said = error.said.unwrap();
    assert!(said.starts_with("bad token"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    assert!(!error.message.contains(TOKEN), "{}", error.message);
}

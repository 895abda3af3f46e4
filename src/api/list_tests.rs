use super::*;
use crate::api::pagination::{GET_PAUSE, GET_TRIES, full_jitter};
use crate::sandbox::faults::{CallKind as SandboxCall, Fault, ListingFault as Lie};
use crate::sandbox::request_log::LoggedRequest;
use crate::sandbox::{Pagination, Sandbox, SandboxConfig};

#[tokio::test]
async fn the_pages_of_a_listing_share_one_size_limit() {
    let padding = " ".repeat(600_000);
    let page = |next: &str, id| {
        let body = json!({"count": 2, "next": next, "results": [row(id, 1)]});
        response("200 OK", "", &format!("{padding}{body}"))
    };
    let server = ScriptedServer::answers(&[page("?page=2", 1), page("", 2)]).await;
    let error = client(&server).list(None).await.unwrap_err();
    assert!(error.message.contains("(max_body)"), "{error}");
}

#[tokio::test]
async fn a_listing_is_requested_again_after_a_temporary_failure() {
    let good = ok(&json!({"count": 1, "results": [row(1, 1)]}));
    let server = ScriptedServer::new(vec![
        vec![],
        vec![ScriptStep::Send(
            response("200 OK", "", "<html>busy</html>").into(),
        )],
        vec![ScriptStep::Send(good.into())],
    ])
    .await;
    let listing = client(&server).list(None).await.unwrap();
    assert_eq!((listing.doubt, listing.servers.len()), (None, 1));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_listing_is_given_up_after_three_tries() {
    let server = ScriptedServer::answers(&[response("502 Bad Gateway", "", "<html>")]).await;
    let error = client(&server).list(None).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(502)));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let page =
        |next: Option<&str>, id| ok(&json!({"count": 3, "next": next, "results": [row(id, id)]}));
    let server = ScriptedServer::answers(&[
        page(Some("?cursor=b"), 1),
        page(Some("/api/v1/snapshots/?cursor=c"), 2),
        page(None, 3),
    ])
    .await;
    let listing = client(&server).list(None).await.unwrap();
    assert_eq!(
        (listing.doubt, listing.shifted, listing.servers.len()),
        (None, false, 3)
    );
    assert!(server.requests()[2].starts_with("GET /api/v1/snapshots/?cursor=c "));
}

#[tokio::test]
async fn i11_pages_that_shift_put_the_listing_in_doubt_and_mark_it_as_shifted() {
    let page = |count, next: Option<&str>, id| {
        ok(&json!({"count": count, "next": next, "results": [row(id, 1)]}))
    };
    for second in [page(1, None, 2), page(2, None, 1)] {
        let server = ScriptedServer::answers(&[page(2, Some("?page=2"), 1), second]).await;
        let listing = client(&server).list(None).await.unwrap();
        assert!(listing.shifted && listing.doubt.is_some());
    }
}

#[tokio::test]
async fn i13_a_next_page_elsewhere_is_doubted_and_not_followed() {
    for next in [
        "http://localhost/api/v1/snapshots/?page=2".to_owned(),
        "//127.0.0.2/api/v1/snapshots/?page=2".to_owned(),
        "http://user@127.0.0.1/api/v1/snapshots/?page=2".to_owned(),
        "http://:pass@127.0.0.1/api/v1/snapshots/?page=2".to_owned(),
        "/admin/?page=2".to_owned(),
        "../../v2/snapshots/".to_owned(),
        "/api/v1/../../x/".to_owned(),
        "http://[".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let page = ok(&json!({"count": 1, "next": next, "results": [row(1, 1)]}));
        let server = ScriptedServer::answers(&[page]).await;
        let listing = client(&server).list(None).await.unwrap();
        assert!(listing.doubt.unwrap().contains("next page"), "{next}");
        assert_eq!(server.requests().len(), 1, "{next}");
    }
}

#[tokio::test]
async fn i11_next_pages_that_form_a_loop_are_doubted() {
    let page = ok(&json!({"count": 9, "next": "?cursor=b", "results": [row(1, 1)]}));
    let server = ScriptedServer::answers(&[page]).await;
    let listing = client(&server).list(None).await.unwrap();
    assert!(listing.doubt.is_some());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn i11_rows_of_another_server_in_a_filtered_listing_are_doubted() {
    let page = ok(&json!({"count": 2, "results": [row(1, 1), row(2, 2)]}));
    let server = ScriptedServer::answers(&[page]).await;
    let listing = client(&server).list(Some(SERVER)).await.unwrap();
    assert!(listing.doubt.is_some());
}

#[tokio::test]
async fn retry_after_in_either_form_holds_back_every_later_call() {
    let later = jiff::Timestamp::now() + Duration::from_secs(100);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&later)
        .unwrap();
    for (status, form) in [
        ("429 Slow", "100"),
        ("503 Busy", "100"),
        ("429 Slow", &*date),
    ] {
        let header = format!("Retry-After: {form}\r\n");
        let server = ScriptedServer::answers(&[response(status, &header, "")]).await;
        let api = client(&server);
        let error = api.list(None).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Later | ErrorKind::Unknown));
        assert_eq!(
            server.requests().len(),
            1,
            "a wait beyond the deadline ends the tries"
        );
        let held = api.limiter.held();
        assert!(
            held > Duration::from_secs(90) && held <= Duration::from_secs(100),
            "{held:?}"
        );
        let next = api.admit().await.expect_err("no request is due");
        let said = next.message.starts_with("no request is sent before 20");
        assert!(said, "{next}");
    }
}

#[tokio::test]
async fn a_listing_waits_out_a_short_retry_after() {
    let server = ScriptedServer::answers(&[
        response("429 Slow", "Retry-After: 1\r\n", ""),
        ok(&json!({"count": 0, "results": []})),
    ])
    .await;
    let began = Instant::now();
    client(&server).list(None).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(950));
}

#[test]
fn there_are_two_pauses_between_tries_each_within_its_bound() {
    let pauses: Vec<_> = full_jitter().collect();
    assert_eq!(pauses.len(), GET_TRIES - 1);
    assert!(pauses[0] <= GET_PAUSE && pauses[1] <= GET_PAUSE * 2);
}

#[tokio::test]
async fn a_next_page_under_another_scheme_or_port_of_the_host_is_requested_from_base_url() {
    let other = ScriptedServer::answers(&[ok(&json!({"count": 0, "results": []}))]).await;
    for link in [
        format!("{}/snapshots/?page=2", other.url()),
        "https://127.0.0.1/api/v1/snapshots/?page=2".to_owned(),
    ] {
        let page = |next, id| ok(&json!({"count": 2, "next": next, "results": [row(id, 1)]}));
        let server = ScriptedServer::answers(&[page(Some(link), 1), page(None, 2)]).await;
        let listing = client(&server).list(None).await.unwrap();
        assert_eq!(listing.doubt, None);
        assert!(server.requests()[1].starts_with("GET /api/v1/snapshots/?page=2 "));
    }
    assert_eq!(other.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn large_pages_are_requested_until_the_provider_refuses_them() {
    let whole = ok(&json!({"count": 0, "results": []}));
    let refusal = response("400 Bad", "", r#"{"page_size": ["unknown"]}"#);
    let server = ScriptedServer::answers(&[whole.clone(), refusal, whole.clone(), whole]).await;
    let api = client(&server);
    for _ in 0..3 {
        api.list(None).await.unwrap();
    }
    let asked = server.requests();
    let asked: Vec<_> = asked.iter().map(|one| one.split(' ').nth(1)).collect();
    let (large, plain) = (
        Some("/api/v1/snapshots/?page_size=100"),
        Some("/api/v1/snapshots/"),
    );
    assert_eq!(asked, [large, large, plain, plain]);
}

#[tokio::test]
async fn pages_by_number_and_by_offset_are_fetched_in_parallel_and_processed_in_order() {
    for style in [Pagination::Page, Pagination::Offset] {
        let (sandbox, api) = paged(style).await;
        let listing = api.list(None).await.unwrap();
        assert_eq!(listing.doubt, None, "{style:?}");
        let rows = &listing.servers[&SERVER].snapshots;
        let newest_first = rows.iter().rev().map(|row| row.id.clone());
        assert!(newest_first.is_sorted() && rows.len() == 95, "{style:?}");
        let log = sandbox.log();
        assert_eq!(log.len(), 10, "{style:?}");
        let together = |pair: &[LoggedRequest]| pair[1].tick < pair[0].answered.unwrap_or(u64::MAX);
        assert!(!together(&log[..2]), "{style:?}");
        assert!(log[1..].windows(2).any(together), "{style:?}");
    }
}

#[tokio::test]
async fn i11_a_next_page_beyond_the_count_is_followed_and_doubted() {
    let page =
        |next: Option<&str>, id| ok(&json!({"count": 1, "next": next, "results": [row(id, 1)]}));
    let server = ScriptedServer::answers(&[page(Some("?page=2"), 1), page(None, 2)]).await;
    let listing = client(&server).list(None).await.unwrap();
    assert!(listing.doubt.is_some());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn pages_by_cursor_are_followed_one_after_the_other() {
    let (sandbox, api) = paged(Pagination::Cursor).await;
    let listing = api.list(None).await.unwrap();
    assert_eq!(
        (&listing.doubt, listing.servers[&SERVER].snapshots.len()),
        (&None, 95)
    );
    let log = sandbox.log();
    let apart = |pair: &[LoggedRequest]| pair[0].answered < Some(pair[1].tick);
    assert!(log.len() == 10 && log.windows(2).all(apart));
}

#[tokio::test]
async fn i11_numbered_pages_that_contradict_the_first_one_are_doubted() {
    for fault in [
        Fault::status(SandboxCall::List, 404),
        Fault::listing(Lie::Next("?page=2".into())),
    ] {
        let (sandbox, api) = paged(Pagination::Page).await;
        sandbox.order(fault.after(3));
        let listing = api.list(None).await.unwrap();
        assert!(listing.shifted && listing.doubt.is_some());
    }
}

/// Starts a stand-in that lists 95 snapshots of one server on pages of ten. Also returns a client.
async fn paged(style: Pagination) -> (Sandbox, HttpApi) {
    let config = SandboxConfig {
        page_size: Some(10),
        pagination: style,
        latency: Duration::from_millis(20),
        ..SandboxConfig::new(Clock::system(), TOKEN)
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    sandbox.add_server(1, "web");
    for nth in 0..95 {
        let made = jiff::Timestamp::UNIX_EPOCH + Duration::from_secs(nth);
        sandbox.add_snapshot(1, "golden", "completed", made);
    }
    let api = HttpApi::new(&settings(sandbox.base_url()), Clock::system()).unwrap();
    (sandbox, api)
}

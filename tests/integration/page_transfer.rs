//! How the page is sent: compressed for clients that accept it, and not at all if it is unchanged.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::page::{live, policy, settled};
use crate::support::http::{get, get_with};
use crate::support::notify::Service;
use crate::support::{days_ago, until};

const GZIP: &str = "Accept-Encoding: gzip, deflate, br";

fn unpacked(body: &[u8]) -> String {
    let mut text = String::new();
    let mut packed = GzDecoder::new(body);
    packed.read_to_string(&mut text).expect("gzip");
    text
}

#[test]
fn an_answer_is_compressed_only_for_a_client_that_accepts_gzip() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let _service = Service::start(&home);
    settled(address, 1);
    for (path, holds) in [
        ("/", "All is well"),
        ("/server/12345", "the newest own completed snapshot"),
        ("/style.css", ".fleet"),
        ("/page.js", "data-live"),
        ("/metrics", "snaprotate_build_info"),
        ("/api/v1/status", "\"healthy\":true"),
    ] {
        let (packed, body) = get_with(address, path, &[GZIP]);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(packed.header("vary"), Some("accept-encoding"), "{path}");
        let text = unpacked(&body);
        assert!(text.contains(holds), "{path}: {text}");
        assert!(body.len() * 2 < text.len(), "{path}: {} bytes", body.len());
        for refused in [None, Some("Accept-Encoding: br, gzip;q=0")] {
            let (plain, body) = get_with(address, path, refused.as_slice());
            assert_eq!(plain.header("content-encoding"), None, "{path}");
            assert_eq!(plain.header("vary"), Some("accept-encoding"), "{path}");
            let text = String::from_utf8(body).expect("text");
            assert!(text.contains(holds), "{path}: {text}");
        }
    }
    let (short, _) = get_with(address, "/healthz", &[GZIP]);
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn a_page_that_has_not_changed_is_answered_with_304_and_no_body() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let _service = Service::start(&home);
    settled(address, 1);
    for path in ["/", "/?q=web&sort=name", "/server/12345", "/style.css"] {
        // A page changes once a minute, and each second while a time on it is younger than that.
        until("the page stays the same", || {
            let (first, body) = get_with(address, path, &[GZIP]);
            assert_eq!(first.status, 200, "{path}");
            assert!(!body.is_empty(), "{path}");
            let tag = first.header("etag").expect("a tag").to_owned();
            let known = format!("If-None-Match: \"other\", {tag}");
            // The tag is the same for both codings.
            let (second, body) = get_with(address, path, &[&known]);
            let unchanged = second.status == 304;
            if unchanged {
                assert!(body.is_empty(), "{path}");
                assert_eq!(second.header("etag"), Some(&*tag), "{path}");
                assert_eq!(second.header("cache-control"), Some("private, no-cache"));
                assert!(second.header("content-security-policy").is_some());
            }
            unchanged
        });
        let (other, body) = get_with(address, path, &["If-None-Match: W/\"other\""]);
        assert_eq!(other.status, 200, "{path}");
        assert!(!body.is_empty(), "{path}");
    }
}

#[test]
fn a_hundred_servers_have_filters_that_count_their_rows_and_a_map_with_a_cell_for_each() {
    let (provider, home, address) = live();
    for id in 1..=100 {
        let name = format!("web-{id}");
        provider.sandbox.add_server(id, &name);
        policy(&home, id, &name);
    }
    // Nothing can be created on a server that is full of foreign snapshots.
    for age in 0..5 {
        let name = format!("by-hand-{age}");
        let made = days_ago(age);
        let sandbox = &provider.sandbox;
        sandbox.add_snapshot(100, &name, "completed", made);
    }
    let _service = Service::start(&home);
    settled(address, 99);
    let paused = home.run(&["pause", "web-7"]);
    assert_eq!(paused.status.code(), Some(0));
    let page = |query: &str| get(address, &format!("/{query}")).body;
    until("the page shows the pause and the full server", || {
        let html = page("");
        html.contains("Paused <strong>1<") && html.contains("Needs you <strong>1<")
    });
    for (query, label, count) in [
        ("", "All", 100),
        ("?show=needs-you", "Needs you", 1),
        ("?show=paused", "Paused", 1),
        ("?show=working", "Working", 0),
    ] {
        let html = page(query);
        let filter = format!("{label} <strong>{count}</strong>");
        assert!(html.contains(&filter), "{filter}: {html}");
        assert_eq!(html.matches("id=\"row-").count(), count, "{query}");
    }
    let html = page("");
    for id in 1..=100 {
        let cell = format!("tabindex=\"-1\" title=\"web-{id}: ");
        assert_eq!(html.matches(&cell).count(), 1, "{cell}: {html}");
    }
}

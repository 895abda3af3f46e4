//! The page, the metrics and the health endpoint of the real daemon, over TCP.

use std::net::SocketAddr;

use crate::support::http::{address, ask, get};
use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stdout, until};
use serde_json::Value;

/// An attacker's name for a server and a snapshot.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'\\&";

/// Returns a provider, and a home whose daemon serves at an address of its own.
pub(super) fn live() -> (Provider, Home, SocketAddr) {
    let provider = Provider::quick();
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let address = address();
    listen(&home, &format!("listen = \"{address}\""));
    (provider, home, address)
}

/// Replaces the lines below `[http]`.
pub(super) fn listen(home: &Home, lines: &str) {
    let file = home.path("snaprotate.toml");
    let text = std::fs::read_to_string(&file).expect("read");
    let kept = text.split("[http]\n").next().expect("the rest");
    std::fs::write(&file, format!("{kept}[http]\n{lines}\n")).expect("written");
}

pub(super) fn policy(home: &Home, id: u64, name: &str) {
    let name = serde_json::to_string(name).expect("JSON, which TOML reads too");
    home.policy(
        &format!("server-{id}"),
        &format!("[server]\nid = {id}\nname = {name}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n"),
    );
}

pub(super) fn settled(address: SocketAddr, servers: usize) {
    until("the slots are settled", || {
        let view: Value = serde_json::from_str(&get(address, "/api/v1/status").body).expect("JSON");
        let all = view["servers"].as_array().expect("servers");
        let rests = |s: &&Value| s["rotations"][0]["last"]["ending"] == "completed";
        all.iter().filter(rests).count() == servers
    });
}

#[test]
fn each_route_answers_and_every_answer_has_the_security_headers() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    provider
        .sandbox
        .add_snapshot(12345, "by-hand", "completed", days_ago(3));
    policy(&home, 12345, "web");
    let service = Service::start(&home);
    settled(address, 1);
    for called in ["web", "server-12345"] {
        let answer = get(address, &format!("/server/{called}"));
        assert_eq!(answer.status, 303, "{called}");
        assert_eq!(answer.header("location"), Some("/server/12345"), "{called}");
    }
    let tagged = ["/", "/server/12345", "/style.css", "/page.js", "/icon.svg"];
    for (path, status, kind, holds) in [
        ("/", 200, "text/html; charset=utf-8", "All is well"),
        (
            "/server/12345",
            200,
            "text/html; charset=utf-8",
            "its name matches no rotation of the policy",
        ),
        (
            "/server/7",
            404,
            "text/html; charset=utf-8",
            "There is no policy for this server",
        ),
        (
            "/server/x%00",
            404,
            "text/html; charset=utf-8",
            "There is no policy",
        ),
        (
            "/metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "snaprotate_build_info{version=",
        ),
        ("/healthz", 200, "text/plain; charset=utf-8", "ok"),
        (
            "/api/v1/status",
            200,
            "application/json",
            "\"healthy\":true",
        ),
        ("/style.css", 200, "text/css; charset=utf-8", ".forecast"),
        (
            "/page.js",
            200,
            "text/javascript; charset=utf-8",
            "data-live",
        ),
        ("/icon.svg", 200, "image/svg+xml", "<svg"),
        (
            "/../etc/passwd",
            404,
            "text/html; charset=utf-8",
            "There is no such page",
        ),
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert!(answer.body.contains(holds), "{path}: {}", answer.body);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let kept = if tagged.contains(&path) {
            "private, no-cache"
        } else {
            "no-store"
        };
        assert_eq!(answer.header("cache-control"), Some(kept), "{path}");
        assert_eq!(
            answer.header("etag").is_some(),
            tagged.contains(&path),
            "{path}"
        );
        // The page has nothing that its content policy forbids, and nothing from elsewhere.
        let html = answer.body.replace("http://www.w3.org/2000/svg", "");
        if kind.starts_with("text/html") {
            for bad in [
                "<style",
                " style=",
                "<script>",
                " onclick=",
                "http://",
                "https://",
            ] {
                assert!(!html.contains(bad), "{path}: {bad}");
            }
        }
    }
    let whole = get(address, "/server/12345").body;
    for part in [
        &daily_name(0),
        "the newest own completed snapshot of the server stays until a newer one is completed",
        "<svg xmlns=",
        "slot of daily is due, and there is room",
        "create result",
        "nothing before ",
        &format!("create {}", daily_name(-1)),
    ] {
        assert!(whole.contains(part), "{part}: {whole}");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn the_json_of_the_page_equals_the_json_of_the_status_command() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let _service = Service::start(&home);
    settled(address, 1);
    let mut page: Value = serde_json::from_str(&get(address, "/api/v1/status").body).expect("JSON");
    let output = home.run(&["status", "--json"]);
    let mut command: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    for value in [&mut page, &mut command] {
        value["time"] = Value::Null;
        value["servers"][0]["listed"] = Value::Null;
    }
    assert_eq!(page, command);
}

#[test]
fn a_request_for_another_host_is_misdirected_and_reveals_nothing() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    listen(
        &home,
        &format!("listen = \"{address}\"\nhosts = [\"Admin.example.org\"]"),
    );
    let _service = Service::start(&home);
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/api/v1/status",
        "/style.css",
        "/no",
    ] {
        for host in ["evil.example", "127.0.0.1.evil.example:9180", ""] {
            let answer = ask(address, "GET", path, host).expect("answered");
            assert_eq!(answer.status, 421, "{path} {host}");
            assert!(!answer.body.contains("web"), "{path} {host}");
            assert!(answer.header("content-security-policy").is_some());
        }
    }
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]:9180",
        "admin.example.org:9180",
    ] {
        let answer = ask(address, "GET", "/api/v1/status", host).expect("answered");
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn only_get_and_head_requests_are_allowed() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let _service = Service::start(&home);
    let host = address.to_string();
    for path in [
        "/",
        "/server/12345",
        "/metrics",
        "/healthz",
        "/api/v1/status",
        "/page.js",
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = ask(address, method, path, &host).expect("answered");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {path}");
        }
        let head = ask(address, "HEAD", path, &host).expect("answered");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}

#[test]
fn the_page_of_a_server_shows_whether_a_hook_is_before_or_after() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(7, "web-07");
    home.daily(
        7,
        2,
        "[rotation.hooks]\nbefore = [\"/bin/true\"]\nafter = [\"/bin/true\"]",
    );
    let _service = Service::start(&home);
    settled(address, 1);
    until("the server is released", || {
        home.events("hook_finished").len() == 2
    });
    let page = get(address, "/server/7").body;
    for hook in ["before", "after"] {
        let told = format!("hook finished</td><td role=\"cell\" data-label=\"What\">{hook} · ");
        assert!(page.contains(&told), "{page}");
    }
}

#[test]
fn the_page_of_a_server_names_a_snapshot_even_if_a_record_has_only_its_id() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(7, "web-07");
    for back in 1..3 {
        let at = days_ago(back);
        let name = daily_name(back);
        provider.sandbox.add_snapshot(7, &name, "completed", at);
    }
    home.daily(7, 2, "");
    let _service = Service::start(&home);
    until("the oldest snapshot is deleted", || {
        !home.events("delete_confirmed").is_empty()
    });
    let gone = home.events("delete_confirmed");
    let words = format!("{} (id {})", daily_name(2), gone[0]["id"]);
    let page = get(address, "/server/7").body;
    for (event, more) in [("confirmed", "</td>"), ("result", " · done · HTTP 204")] {
        let told =
            format!("delete {event}</td><td role=\"cell\" data-label=\"What\">{words}{more}");
        assert!(page.contains(&told), "{told}: {page}");
    }
}

#[test]
fn hostile_names_are_escaped_in_the_page_and_in_the_metrics() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, HOSTILE);
    let foreign = format!("{HOSTILE}\u{202e}\u{1b}[2J");
    provider
        .sandbox
        .add_snapshot(12345, &foreign, "completed", days_ago(3));
    policy(&home, 12345, HOSTILE);
    let _service = Service::start(&home);
    settled(address, 1);
    for path in [
        "/",
        "/server/12345",
        "/?q=%3Cimg%20src%3Dx%20onerror&sort=%22%3E%3Cscript%3E",
        "/?q=none&q=%3Cimg%20src%3Dx%20onerror",
    ] {
        let html = get(address, path).body;
        let escaped = "&lt;img src=x onerror=alert(1)&gt;&quot;'\\";
        assert!(html.contains(escaped), "{path}: {html}");
        assert!(
            !html.contains("<img src=x") && !html.contains("\"><script>"),
            "{path}"
        );
        assert!(
            !html.contains('\u{202e}') && !html.contains('\u{1b}'),
            "{path}"
        );
    }
    let metrics = get(address, "/metrics").body;
    let labels = "{server=\"<img src=x onerror=alert(1)>\\\"'\\\\&\",server_id=\"12345\"";
    assert_eq!(
        value(
            &metrics,
            &format!("snaprotate_snapshots{labels},kind=\"foreign\"}}")
        ),
        Some(1.0),
        "{metrics}"
    );
    assert!(!metrics.contains('\u{1b}'));
}

#[test]
fn search_and_sorting_work_without_a_script() {
    let (provider, home, address) = live();
    for (id, name) in [(1, "web-10"), (2, "web-9"), (3, "mail")] {
        provider.sandbox.add_server(id, name);
        policy(&home, id, name);
    }
    for n in 0..5 {
        provider
            .sandbox
            .add_snapshot(3, &format!("by-hand-{n}"), "completed", days_ago(n));
    }
    let _service = Service::start(&home);
    settled(address, 2);
    until("mail is blocked", || {
        get(address, "/?q=blocked").body.contains("id=\"row-3\"")
    });
    let rows = |query: &str| -> Vec<String> {
        let html = get(address, query).body;
        let rows = html.split("id=\"row-").skip(1);
        rows.map(|row| row.split('"').next().expect("an id").to_owned())
            .collect()
    };
    assert_eq!(rows("/"), ["3", "2", "1"]);
    assert_eq!(rows("/?q=web&sort=-name"), ["1", "2"]);
    assert_eq!(rows("/?sort=state"), ["3", "2", "1"]);
    assert_eq!(rows("/?q=none"), Vec::<String>::new());
    let html = get(address, "/?q=web&sort=-name").body;
    for part in [
        "<form class=\"search\" action=\"/\" method=\"get\" role=\"search\">",
        "name=\"q\" value=\"web\"",
        "<input type=\"hidden\" name=\"sort\" value=\"-name\">",
        "2 servers found",
        "aria-sort=\"descending\"",
        "1 of 3 servers needs you",
        "href=\"/server/3\">mail</a>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

/// Returns the value of a series.
pub(super) fn value(metrics: &str, series: &str) -> Option<f64> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let mut found = lines.filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.next().map(|value| value.parse().expect("a number"))
}

//! The page's address, its metrics and its health.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use super::page::{listen, live, policy, settled, value};
use crate::support::disk::SmallDisk;
use crate::support::http::{self, ask, get};
use crate::support::notify::Service;
use crate::support::{Daemon, daily_name, days_ago, stderr, stdout, until};

#[test]
fn the_metrics_cover_slots_room_alerts_calls_and_decisions() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(1, "web");
    provider.sandbox.add_server(2, "full");
    for n in 0..5 {
        provider
            .sandbox
            .add_snapshot(2, &format!("by-hand-{n}"), "completed", days_ago(n));
    }
    policy(&home, 1, "web");
    policy(&home, 2, "full");
    let _service = Service::start(&home);
    settled(address, 1);
    until("the full server is blocked", || {
        value(
            &get(address, "/metrics").body,
            "snaprotate_servers_by_activity{activity=\"blocked\"}",
        ) == Some(1.0)
    });
    let metrics = get(address, "/metrics").body;
    let is = |series: &str| {
        value(&metrics, series).unwrap_or_else(|| panic!("no {series} in {metrics}"))
    };
    let (web, full) = (
        "server=\"web\",server_id=\"1\"",
        "server=\"full\",server_id=\"2\"",
    );
    let wanted: [(String, f64); 19] = [
        (format!("snaprotate_snapshots{{{web},kind=\"own\"}}"), 1.0),
        (
            format!("snaprotate_snapshots{{{full},kind=\"foreign\"}}"),
            5.0,
        ),
        (format!("snaprotate_server_blocked{{{full}}}"), 1.0),
        (format!("snaprotate_server_blocked{{{web}}}"), 0.0),
        (format!("snaprotate_server_paused{{{web}}}"), 0.0),
        (format!("snaprotate_server_unlisted{{{web}}}"), 0.0),
        (
            format!("snaprotate_last_success_timestamp_seconds{{{full},rotation=\"daily\"}}"),
            0.0,
        ),
        ("snaprotate_alerts{kind=\"blocked\"}".to_owned(), 1.0),
        ("snaprotate_alerts{kind=\"stuck\"}".to_owned(), 0.0),
        (
            "snaprotate_alerts{kind=\"account_refused\"}".to_owned(),
            0.0,
        ),
        ("snaprotate_snapshots_limit".to_owned(), 5.0),
        ("snaprotate_audit_writable".to_owned(), 1.0),
        ("snaprotate_config_refused".to_owned(), 0.0),
        ("snaprotate_account_refused".to_owned(), 0.0),
        (
            "snaprotate_api_requests_total{call=\"create\",outcome=\"ok\"}".to_owned(),
            1.0,
        ),
        (
            "snaprotate_api_requests_total{call=\"create\",outcome=\"refused\"}".to_owned(),
            0.0,
        ),
        (
            "snaprotate_api_request_duration_seconds_count{call=\"create\"}".to_owned(),
            1.0,
        ),
        (
            "snaprotate_decisions_total{step=\"create\"}".to_owned(),
            1.0,
        ),
        (
            "snaprotate_decisions_total{step=\"delete\"}".to_owned(),
            0.0,
        ),
    ];
    for (series, wanted) in wanted {
        assert_eq!(is(&series).to_bits(), wanted.to_bits(), "{series}");
    }
    let now = jiff::Timestamp::now().as_duration().as_secs_f64();
    let times = format!("{{{web},rotation=\"daily\"}}");
    let success = is(&format!("snaprotate_last_success_timestamp_seconds{times}"));
    assert!(
        (now - 120.0..=now + 1.0).contains(&success),
        "{success} {now}"
    );
    let slot = is(&format!("snaprotate_last_slot_timestamp_seconds{times}"));
    let next = is(&format!("snaprotate_next_slot_timestamp_seconds{times}"));
    assert!(slot < now && now < next, "{slot} {now} {next}");
    // Answered calls were counted, one by one.
    let lists = is("snaprotate_api_requests_total{call=\"list\",outcome=\"ok\"}");
    let sent = u32::try_from(provider.sandbox.counts().lists()).expect("few");
    // The server's description was requested once, since an empty listing contains no name.
    assert!(
        lists > 1.0 && lists <= f64::from(sent + 1),
        "{lists} of {sent}"
    );
    let records = home.trail();
    let own = records
        .iter()
        .filter(|record| record["event"] != "checkpoint");
    let own = u32::try_from(own.count()).expect("few");
    let written = is("snaprotate_audit_records_total");
    assert!(
        written > 5.0 && written <= f64::from(own),
        "{written} of {own}"
    );
    // Every line is a comment or a series with a number, and every series has a type.
    for line in metrics.lines() {
        let Some((series, number)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))
        else {
            assert!(
                line.starts_with("# HELP snaprotate_") || line.starts_with("# TYPE snaprotate_"),
                "{line}"
            );
            continue;
        };
        assert!(number.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().expect("a name");
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{line}");
    }
}

#[test]
fn the_health_check_fails_while_the_trail_cannot_be_written_and_succeeds_afterwards() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(7, "web-01");
    policy(&home, 7, "web-01");
    let Some(disk) = SmallDisk::over(&home.path("log")) else {
        return;
    };
    disk.fill();
    let mut command = disk.inside(&home.command(&["run"]));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let daemon = Daemon(command.spawn().expect("it starts"));
    let health = || ask(address, "GET", "/healthz", "localhost");
    until("the health check fails", || {
        health().is_some_and(|answer| answer.status == 503)
    });
    let answer = health().expect("answered");
    assert!(
        answer.body.starts_with("the audit trail can't be written"),
        "{answer:?}"
    );
    let metrics = get(address, "/metrics").body;
    assert_eq!(value(&metrics, "snaprotate_audit_writable"), Some(0.0));
    assert_eq!(
        value(&metrics, "snaprotate_alerts{kind=\"trail_unwritable\"}"),
        Some(1.0)
    );
    disk.make_room();
    until("the health check succeeds", || {
        health().is_some_and(|answer| answer.status == 200)
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_port_in_use_does_not_stop_rotation_and_a_reload_moves_the_page() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let other = TcpListener::bind(address).expect("a port");
    let service = Service::start(&home);
    until("the service rotates without the page", || {
        provider.sandbox.created(12345) == [daily_name(0)]
    });
    let log = || std::fs::read_to_string(home.path("stderr")).expect("a log");
    until("the log reports the missing page", || {
        log().contains("no status page: the service can't listen on the address")
    });
    assert!(log().contains(&address.to_string()), "{}", log());
    let second = http::address();
    listen(&home, &format!("listen = \"{second}\""));
    service.reload();
    until("the page moved", || {
        ask(second, "GET", "/healthz", "localhost").is_some()
    });
    // A port that is removed from the configuration closes; an open connection delays nothing.
    let mut slow = TcpStream::connect(second).expect("connected");
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("sent");
    assert_eq!(get(second, "/healthz").status, 200);
    listen(&home, &format!("listen = \"{address}\""));
    drop(other);
    service.reload();
    until("the page moved again", || {
        ask(address, "GET", "/healthz", "localhost").is_some()
    });
    until("the former address is closed", || {
        ask(second, "GET", "/healthz", "localhost").is_none()
    });
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_refused_configuration_and_a_public_address_are_reported() {
    let (provider, home, address) = live();
    provider.sandbox.add_server(12345, "web");
    policy(&home, 12345, "web");
    let service = Service::start(&home);
    listen(&home, "listen = \"nowhere\"");
    service.reload();
    let metrics = get(address, "/metrics").body;
    assert_eq!(value(&metrics, "snaprotate_config_refused"), Some(1.0));
    let html = get(address, "/").body;
    assert!(
        html.contains("config refused") && html.contains("is not an address and a port"),
        "{html}"
    );
    listen(&home, "listen = \"0.0.0.0:9180\"");
    let check = home.run(&["check"]);
    let said = stdout(&check) + &stderr(&check);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(
        said.contains(
            "without a password, to everyone who can reach port 9180 on any address of this host"
        ),
        "{said}"
    );
}

#[test]
fn many_incomplete_requests_delay_neither_the_health_check_nor_status() {
    let (_provider, home, address) = live();
    policy(&home, 7, "web");
    let service = Service::start(&home);
    let began = std::time::Instant::now();
    let (mut halves, mut others) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for _ in 0..100 {
            let mut half = TcpStream::connect(address).expect("connected");
            half.write_all(b"GET /healthz HTTP/1.1\r\nHost: ")
                .expect("sent");
            halves.push(half);
            let socket = home.path("run").join("control.sock");
            let mut half = std::os::unix::net::UnixStream::connect(socket).expect("connected");
            half.write_all(b"GET /api").expect("sent");
            others.push(half);
        }
        assert_eq!(get(address, "/healthz").status, 200, "{round}");
        let said = home.run(&["status"]);
        assert!(stdout(&said).contains("1 server"), "{}", stderr(&said));
    }
    // Waiting for a single incomplete request would have taken ten seconds.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    drop((halves, others));
    assert_eq!(service.stop(), Some(0));
}

//! The real binary under signals, reloads, missing descriptors, other owners and wrong
//! certificates.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::notify::Service;
use crate::support::tls::{Certificate, TlsServer};
use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, until, verified};
use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, Fault};

const SERVER: u64 = 7;

/// Returns the server with completed dailies from these days ago.
fn scene(days: &[i64], api: &str) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for back in days {
        let (name, at) = (daily_name(*back), days_ago(*back));
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let home = Home::new(&provider.sandbox.base_url(), api, QUICK);
    (provider, home)
}

fn protecting(home: &Home, name: &str, keep: usize) {
    home.policy(
        &format!("server-{SERVER}"),
        &format!("[server]\nid = {SERVER}\nprotect = [\"{name}\"]\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = {keep}\n"),
    );
}

fn mutations(provider: &Provider) -> u64 {
    let counts = provider.sandbox.counts();
    counts.create + counts.delete
}

#[test]
fn i6_i9_sigterm_during_a_create_records_unknown_starts_nothing_and_the_next_start_adopts_it() {
    let (provider, home) = scene(&[], "max_in_flight = 1");
    provider.sandbox.add_server(8, "other");
    home.daily(SERVER, 3, "");
    home.daily(8, 3, "");
    provider.sandbox.order(Fault::hang(CallKind::Create).done());
    let service = Service::start(&home);
    until("a create is sent", || mutations(&provider) == 1);
    let asked = Instant::now();
    assert_eq!(service.stop(), Some(0));
    // The call's own two seconds, and a margin for a busy machine.
    assert!(asked.elapsed() < Duration::from_secs(6));
    let results = home.events("create_result");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["outcome"], "unknown", "I6");
    assert_eq!(mutations(&provider), 1, "no new change after the signal");

    let service = Service::start(&home);
    until("both slots are settled", || {
        home.events("slot_settled").len() == 2
    });
    assert_eq!(service.stop(), Some(0));
    for server in [SERVER, 8] {
        assert_eq!(provider.sandbox.created(server), [daily_name(0)], "I9");
    }
    assert_eq!(mutations(&provider), 2);
    verified(&home);
}

#[test]
fn i1_a_reload_that_protects_a_snapshot_keeps_it_though_keep_shrinks() {
    let (provider, home) = scene(&[2, 1, 0], "");
    home.daily(SERVER, 3, "");
    let service = Service::start(&home);
    protecting(&home, &daily_name(2), 1);
    service.reload();
    until("the unprotected one is deleted", || {
        provider.names(SERVER).len() == 2 && home.events("delete_result").len() == 1
    });
    // A reload lists every server again, so another delete would follow now.
    service.reload();
    assert_eq!(service.stop(), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(2), daily_name(0)]);
    let loaded = &home.events("config_loaded")[1];
    let said = loaded["deletes"].to_string();
    assert!(said.contains(&daily_name(1)), "{said}");
    assert!(!said.contains(&daily_name(2)), "{said}");
    let intent = &home.events("delete_intent")[0];
    assert!(loaded["seq"].as_u64() < intent["seq"].as_u64());
}

#[test]
fn i1_a_reload_while_a_create_is_in_flight_applies_to_the_very_next_decision() {
    let (provider, home) = scene(&[3, 2, 1], "");
    home.daily(SERVER, 1, "");
    let slow = Fault::drip(CallKind::Create, Duration::from_millis(5));
    provider.sandbox.order(slow);
    let service = Service::start(&home);
    until("a create is sent", || mutations(&provider) == 1);
    protecting(&home, &daily_name(3), 1);
    service.reload();
    assert!(
        home.events("create_result").is_empty(),
        "the call was over too soon to show anything"
    );
    until("the others are deleted", || {
        home.events("delete_result").len() == 2
    });
    assert_eq!(service.stop(), Some(0));
    // The oldest would have been the first to be deleted.
    assert_eq!(provider.names(SERVER), [daily_name(3), daily_name(0)]);
    verified(&home);
}

#[test]
fn i9_a_process_stopped_for_longer_than_its_watchdog_continues_and_does_nothing_twice() {
    let provider = Provider::start(SignedDuration::from_millis(200), Duration::from_millis(300));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let servers = [11, 12, 13];
    for id in servers {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        home.daily(id, 3, "");
    }
    // One create takes effect after the process has woken, within the settle window of its
    // time-out.
    let late = SignedDuration::from_millis(3500);
    provider
        .sandbox
        .order(Fault::hang(CallKind::Create).late(late));
    let service = Service::begin(&home, &[("WATCHDOG_USEC", "2000000")]);
    service.hears("READY=1");
    until("a create is sent", || mutations(&provider) > 0);
    service.daemon.signal("STOP");
    // Longer than the watchdog and the whole call may take.
    std::thread::sleep(Duration::from_secs(3));
    let settled = home.events("slot_settled").len();
    assert!(settled < servers.len(), "the process was stopped too late");
    service.daemon.signal("CONT");
    until("every slot is settled", || {
        home.events("slot_settled").len() == servers.len()
    });
    service.hears("WATCHDOG=1");
    assert_eq!(service.stop(), Some(0));
    for id in servers {
        assert_eq!(provider.sandbox.created(id), [daily_name(0)], "{id}");
    }
    verified(&home);
}

#[test]
fn a_service_without_free_descriptors_neither_crashes_nor_repeats_a_create_and_recovers() {
    let (provider, home) = scene(&[], "");
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let service = Service::start(&home);
    until("the service rotates", || {
        home.events("slot_settled").len() > 1
    });
    let limit = |files: &str| {
        let pid = service.daemon.0.id().to_string();
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={files}:")])
            .status();
        assert!(set.expect("prlimit runs").success());
    };
    limit("3");
    // The service's open connections are cut, and it can't open another.
    provider.sandbox.order(Fault::cut(CallKind::Any).forever());
    until("an alert is active", || {
        let mut alerts = home.events("alert_raised");
        alerts.retain(|alert| alert["alert"] == "api_unreachable");
        !alerts.is_empty()
    });
    provider.sandbox.clear_orders();
    let asked = provider.sandbox.counts().requests();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        provider.sandbox.counts().requests(),
        asked,
        "the service found a descriptor after all"
    );
    let before = home.events("slot_settled").len();
    limit("1024");
    until("the service rotates again", || {
        home.events("slot_settled").len() > before + 1
    });
    assert_eq!(service.stop(), Some(0));
    let mut made = provider.sandbox.created(SERVER);
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), all, "no name was created twice");
    verified(&home);
}

#[test]
fn once_ends_cleanly_and_creates_at_most_once_however_few_descriptors_it_has() {
    let mut settled = Vec::new();
    // With fewer the runtime itself can't start.
    for files in (8..=24).step_by(2) {
        let (provider, home) = scene(&[1], "");
        home.daily(SERVER, 3, "");
        let once = home.command(&["once"]);
        // The shell closes the descriptors that this test itself was started with.
        let script = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec prlimit \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(format!("--nofile={files}:1024"))
            .arg(once.get_program())
            .args(once.get_args());
        let output = command.output().expect("prlimit runs");
        let said = stderr(&output);
        assert!(!said.contains("panicked"), "{files}: {said}");
        let code = output.status.code().expect("no signal ended it");
        let made = provider.sandbox.created(SERVER).len();
        assert!(made <= 1, "{files}: {said}");
        assert!(code != 0 || made == 1, "{files}: {said}");
        settled.push(code == 0);
        if home.path("log").exists() {
            verified(&home);
        }
    }
    assert!(!settled[0] && settled.contains(&true), "{settled:?}");
}

#[test]
fn files_that_root_creates_in_the_services_folders_belong_to_the_service() {
    const NOBODY: u32 = 65534;
    let (_provider, home) = scene(&[3, 2, 1], "");
    home.daily(SERVER, 3, "");
    for folder in ["state", "log"] {
        let folder = home.path(folder);
        std::fs::create_dir(&folder).expect("a folder");
        if std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).is_err() {
            let _told = writeln!(std::io::stderr(), "SKIPPED: only root can give files away");
            return;
        }
    }
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    // A torn line is moved to a separate file, and a lost head is rebuilt.
    let mut log = std::fs::read_dir(home.path("log")).expect("a trail");
    let trail = log.next().expect("a file").expect("an entry").path();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(trail)
        .expect("a trail");
    file.write_all(b"{\"seq\":").expect("written");
    drop(file);
    home.run(&["once"]);
    std::fs::remove_file(home.path("state").join("head")).expect("a head");
    home.run(&["once"]);

    let mut names = Vec::new();
    for folder in ["state", "log"] {
        for entry in std::fs::read_dir(home.path(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let of = path.metadata().expect("a file");
            assert_eq!((of.uid(), of.gid()), (NOBODY, NOBODY), "{}", path.display());
            names.extend(path.file_name().map(|n| n.to_string_lossy().into_owned()));
        }
    }
    for part in ["lock", "head", ".jsonl", ".torn-1"] {
        assert!(names.iter().any(|name| name.ends_with(part)), "{names:?}");
    }
}

#[test]
fn i13_nothing_is_sent_to_another_origin_after_a_redirect() {
    let second = TcpListener::bind("127.0.0.1:0").expect("a port");
    second.set_nonblocking(true).expect("a listener");
    let there = format!("http://{}/", second.local_addr().expect("an address"));
    for (call, code) in [
        (CallKind::List, 1),
        (CallKind::Create, 1),
        (CallKind::Delete, 1),
    ] {
        let (provider, home) = scene(&[3, 2, 1], "");
        home.daily(SERVER, 1, "");
        provider
            .sandbox
            .order(Fault::redirect(call, &there).forever());
        assert_eq!(home.run(&["once"]).status.code(), Some(code), "{call:?}");
        let mut log = provider.sandbox.log();
        log.retain(|request| request.status == Some(307));
        assert!(!log.is_empty(), "{call:?} was not redirected");
        let came = second.accept().map_err(|error| error.kind());
        assert_eq!(
            came.expect_err("no connection"),
            std::io::ErrorKind::WouldBlock,
            "{call:?}"
        );
    }
}

#[test]
fn i13_over_tls_a_request_is_sent_only_if_the_certificate_is_valid() {
    let run = |certificate: Certificate| {
        let server = TlsServer::start(certificate);
        let ca = "ca_file = \"ca.pem\"";
        let home = Home::new(&server.base_url(), ca, QUICK);
        std::fs::write(home.path("ca.pem"), server.trusted()).expect("written");
        home.daily(SERVER, 3, "");
        let output = home.run(&["once"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(home.events("create_intent").is_empty());
        (server.received(), stderr(&output))
    };
    let (bytes, _) = run(Certificate::Fits);
    assert!(bytes > 0, "a valid certificate is accepted");
    for (certificate, word) in [
        (Certificate::SelfSigned, "certificate: BadSignature"),
        (Certificate::OtherHost, "elsewhere.example"),
        (Certificate::Expired, "xpired"),
    ] {
        let what = format!("{certificate:?}");
        let (bytes, said) = run(certificate);
        assert_eq!(bytes, 0, "{what}");
        assert!(said.contains(word), "{what}: {said}");
    }
}

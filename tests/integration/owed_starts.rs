//! The start that is owed to a stopped server, with the real binary.

use std::time::{Duration, Instant};

use super::stop_server::{Place, SERVER, place};
use crate::support::notify::Service;
use crate::support::{Daemon, stderr, stdout, until};
use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, Fault};

#[test]
fn i20_a_start_is_repeated_until_the_server_is_seen_active_and_an_alert_is_raised_meanwhile() {
    for (case, fault) in [
        ("refused", Fault::status(CallKind::Power, 400)),
        ("lost", Fault::cut(CallKind::Power)),
        ("without effect", Fault::status(CallKind::Power, 200)),
    ] {
        let place = place("");
        // The stop succeeds, the starts fail.
        place.provider.sandbox.order(fault.after(1).forever());
        let daemon = place.home.start(&["run"]);
        until(case, || !place.alerts("server_stopped").is_empty());
        let status = place.home.run(&["status"]);
        let said = stdout(&status);
        assert!(said.contains("server stopped"), "{case}: {said}");
        assert_eq!(place.status(), "stopped", "{case}");
        place.provider.sandbox.clear_orders();
        until(case, || place.status() == "active");
        until(case, || {
            let cleared = place.home.events("alert_cleared");
            cleared.iter().any(|one| one["alert"] == "server_stopped")
        });
        assert_eq!(daemon.stop(), Some(0), "{case}");
        assert_eq!(place.downs(), 1, "{case}");
        place.verified();
    }
}

#[test]
fn i20_the_owed_start_survives_a_pause_a_reload_a_removed_policy_and_a_service_stop() {
    for case in ["pause", "another policy", "no policy", "stop"] {
        let place = place("");
        place
            .provider
            .sandbox
            .set_completes_after(SignedDuration::from_millis(1500));
        let mut daemon = Some(place.home.start(&["run"]));
        until(case, || !place.home.events("create_result").is_empty());
        assert_eq!(place.status(), "stopped", "{case}");
        let file = place.home.path("policies.d/web.toml");
        match case {
            "pause" => {
                let paused = place.home.run(&["pause", "web"]);
                assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
            }
            "another policy" => {
                let text = std::fs::read_to_string(&file).expect("read");
                std::fs::write(&file, text.replace("stop_server = true", "")).expect("written");
            }
            "no policy" => place.leave(),
            _ => assert_eq!(daemon.take().expect("it runs").stop(), Some(0)),
        }
        if let Some(daemon) = &daemon {
            daemon.signal("HUP");
        }
        until(case, || place.status() == "active");
        if let Some(daemon) = daemon {
            until(case, || !place.home.events("start_confirmed").is_empty());
            assert_eq!(daemon.stop(), Some(0), "{case}");
        }
        assert_eq!(place.downs(), 1, "{case}");
        place.verified();
    }
}

#[test]
fn i20_neither_a_refused_token_nor_a_rate_limit_delays_a_start() {
    std::thread::scope(|scope| {
        for status in [401, 403, 429] {
            scope.spawn(move || {
                let place = place("");
                let sandbox = &place.provider.sandbox;
                sandbox.set_completes_after(SignedDuration::from_secs(60));
                let daemon = place.home.start(&["run"]);
                until("the server is down", || {
                    !place.home.events("create_result").is_empty()
                });
                assert_eq!(place.status(), "stopped", "{status}");
                sandbox.order(Fault::status(CallKind::List, status).forever());
                let began = Instant::now();
                until("the server runs again", || place.status() == "active");
                // The server may be down for 5 s.
                let took = began.elapsed();
                assert!(took < Duration::from_secs(15), "{status}: {took:?}");
                until("the start is confirmed", || {
                    !place.home.events("start_confirmed").is_empty()
                });
                assert_eq!(daemon.stop(), Some(0), "{status}");
                assert_eq!(place.downs(), 1, "{status}");
                place.verified();
            });
        }
    });
}

#[test]
fn a_token_refused_for_one_start_is_accepted_again_by_the_next_listing() {
    for status in [401, 403] {
        let place = place("");
        let sandbox = &place.provider.sandbox;
        let daemon = place.home.start(&["run"]);
        // The stop is the first power call.
        sandbox.order(Fault::status(CallKind::Power, status).after(1));
        until("the start is confirmed", || {
            !place.home.events("start_confirmed").is_empty()
        });
        // A 403 is about this call alone.
        let expected = usize::from(status == 401);
        until("the account_refused alert is cleared", || {
            let cleared = place.home.events("alert_cleared");
            let cleared = cleared.iter().filter(|r| r["alert"] == "account_refused");
            cleared.count() == expected
        });
        assert_eq!(place.alerts("account_refused").len(), expected);
        assert_eq!(daemon.stop(), Some(0));
        place.verified();
    }
}

/// Returns a running service that has stopped its server; each start fails with 500.
fn stays_down() -> (Place, Daemon) {
    let place = place("");
    let fault = Fault::status(CallKind::Power, 500).after(1).forever();
    place.provider.sandbox.order(fault);
    let daemon = place.home.start(&["run"]);
    until("the server is down", || {
        !place.home.events("stop_confirmed").is_empty()
    });
    (place, daemon)
}

#[test]
fn i20_an_alert_reports_a_server_that_stays_down_even_without_listings() {
    let (place, daemon) = stays_down();
    let sandbox = &place.provider.sandbox;
    sandbox.order(Fault::status(CallKind::List, 401).forever());
    until("the alert is raised", || {
        !place.alerts("server_stopped").is_empty()
    });
    sandbox.clear_orders();
    until("the server runs again", || place.status() == "active");
    assert_eq!(daemon.stop(), Some(0));
    place.verified();
}

#[test]
fn i20_status_reports_a_server_without_a_policy_that_stays_down() {
    let (place, daemon) = stays_down();
    let sandbox = &place.provider.sandbox;
    place.leave();
    daemon.signal("HUP");
    until("status reports the server", || {
        let status = place.home.run(&["status"]);
        status.status.code() != Some(0) && stdout(&status).contains("no policy in force names it")
    });
    sandbox.clear_orders();
    until("the server runs again", || place.status() == "active");
    until("status reports no problem", || {
        place.home.run(&["status"]).status.code() == Some(0)
    });
    assert_eq!(daemon.stop(), Some(0));
    place.verified();
}

#[test]
fn a_resume_by_id_gives_up_the_start_of_a_server_without_a_policy() {
    let (place, daemon) = stays_down();
    place.leave();
    daemon.signal("HUP");
    let told = || place.alerts("server_stopped").join("\n");
    until("the alert names the remedy", || {
        told().contains("snaprotate resume")
    });
    let resumed = place.home.run(&["resume", &SERVER.to_string()]);
    let said = stdout(&resumed);
    assert_eq!(resumed.status.code(), Some(0), "{said}{}", stderr(&resumed));
    assert!(said.contains("is given up"), "{said}");
    until("status reports no problem", || {
        place.home.run(&["status"]).status.code() == Some(0)
    });
    let starts = || place.home.events("start_intent").len();
    let before = starts();
    let again = place.home.run(&["resume", &SERVER.to_string()]);
    assert!(stderr(&again).contains("no policy for server"));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(starts(), before);
    place.verified();
}

#[test]
fn i20_a_service_that_exits_before_starting_a_stopped_server_reports_that_it_may_be_down() {
    let place = place("");
    let sandbox = &place.provider.sandbox;
    sandbox.order(Fault::status(CallKind::Power, 500).after(1).forever());
    let daemon = Service::start(&place.home);
    until("the server is down", || {
        !place.home.events("stop_confirmed").is_empty()
    });
    assert_eq!(daemon.stop(), Some(0));
    let said = std::fs::read_to_string(place.home.path("stderr")).expect("read");
    assert!(said.contains("may still be down"), "{said}");
    assert_eq!(place.alerts("server_stopped").len(), 1);
    sandbox.clear_orders();
    let daemon = place.home.start(&["run"]);
    until("the next service starts the server", || {
        place.status() == "active"
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.downs(), 1);
    place.verified();
}

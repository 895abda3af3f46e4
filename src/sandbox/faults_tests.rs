//! Each injected fault reaches the client as specified, and has the specified effect on the true
//! state.

use serde_json::{Value, json};

use super::faults::{CallKind, CreateFault, ListingFault, Staleness};
use super::request_log::EffectKind;
use super::tests::{client, create, started};
use super::*;

async fn list(sandbox: &Sandbox, query: &str) -> Value {
    let url = format!("{}/snapshots/{query}", sandbox.base_url());
    let answer = client().get(url).bearer_auth("t").send().await;
    answer.expect("an answer").json().await.expect("JSON")
}

/// Sends a delete. Returns the status of the answer; `None` if there is none within five seconds.
async fn delete(sandbox: &Sandbox, id: u64) -> Option<u16> {
    let url = format!("{}/snapshots/{id}/", sandbox.base_url());
    let call = client().delete(url).bearer_auth("t");
    let answer = call.timeout(Duration::from_secs(5)).send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}

fn ids(listing: &Value) -> Vec<Value> {
    let rows = listing["results"].as_array().expect("rows");
    rows.iter().map(|row| row["id"].clone()).collect()
}

fn stocked(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.add_server(2, "db-01");
    let first = "2025-01-15T18:30:00Z".parse::<Timestamp>().expect("a date");
    let at = |hour| first + SignedDuration::from_hours(hour);
    vec![
        sandbox.add_snapshot(1, "one", "completed", at(0)),
        sandbox.add_snapshot(1, "two", "completed", at(1)),
        sandbox.add_snapshot(2, "other", "completed", at(2)),
    ]
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_effect() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    sandbox.order(Fault::cut(CallKind::Delete));
    assert_eq!(delete(&sandbox, id).await, None);
    assert_eq!(sandbox.truth(1).len(), 2);
    sandbox.order(Fault::cut(CallKind::Delete).done());
    assert_eq!(delete(&sandbox, id).await, None);
    assert_eq!(sandbox.truth(1).len(), 1);
    assert_eq!(delete(&sandbox, id).await, Some(404));
    let log = sandbox.log();
    assert_eq!(log[1].effects[0].kind, EffectKind::Deleted);
    assert_eq!((log[1].status, log[2].status), (None, Some(404)));
    assert!(log[1].tick < log[1].effects[0].tick && log[1].answered < Some(log[2].tick));
}

#[tokio::test]
async fn a_hanging_call_is_in_flight_until_its_client_gives_up() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    sandbox.order(Fault::hang(CallKind::Delete).done());
    let waiting = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { delete(&sandbox, id).await }
    });
    sandbox.wait_for(|s| s.truth(1).len() == 1).await;
    assert_eq!(sandbox.in_flight(), 1);
    waiting.abort();
    sandbox.wait_for(|s| s.in_flight() == 0).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_effect() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    sandbox.set_latency(Duration::from_millis(100));
    let calling = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { delete(&sandbox, id).await }
    });
    sandbox.wait_for(|s| s.counts().delete == 1).await;
    calling.abort();
    sandbox.wait_for(|s| s.truth(1).len() == 1).await;
}

#[tokio::test]
async fn a_late_delete_and_its_effect_are_in_the_log() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    sandbox.order(Fault::status(CallKind::Delete, 503).late(SignedDuration::from_mins(2)));
    assert_eq!(delete(&sandbox, id).await, Some(503));
    sandbox.wait_for(|s| s.truth(1).len() == 1).await;
    let asked = &sandbox.log()[0];
    assert_eq!(asked.effects[0].row.id, id);
    assert!(asked.answered < Some(asked.effects[0].tick));
}

#[tokio::test]
async fn answers_can_be_cut_dripped_huge_rate_limited_or_redirected() {
    let sandbox = started().await;
    let url = format!("{}/snapshots/", sandbox.base_url());
    let get = || client().get(&url).bearer_auth("t").send();
    sandbox.order(Fault::cut_body(CallKind::List));
    let answer = get().await.expect("a head");
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
    sandbox.order(Fault::drip(CallKind::List, Duration::from_millis(1)));
    let answer = get().await.expect("a head");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["count"], 0);
    sandbox.order(Fault::huge(CallKind::List, 1_000_000));
    let answer = get().await.expect("a head");
    assert_eq!(answer.bytes().await.expect("a body").len(), 1_000_000);
    sandbox.order(Fault::status(CallKind::Any, 429).retry_after("7"));
    assert_eq!(get().await.expect("a head").headers()["retry-after"], "7");
    sandbox.order(Fault::redirect(CallKind::List, "http://127.0.0.1:1/"));
    let answer = get().await.expect("a head");
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().contains_key("location")
        ),
        (307, true)
    );
}

#[tokio::test]
async fn each_listing_fault_changes_the_listing_as_specified() {
    let sandbox = started().await;
    let [one, two, other] = stocked(&sandbox)[..] else {
        panic!("three snapshots");
    };
    let wrong = async |how: ListingFault| {
        sandbox.order(Fault::listing(how).server(1));
        list(&sandbox, "?server_id=1").await
    };
    let seen = wrong(ListingFault::Short).await;
    assert_eq!((&seen["count"], ids(&seen)), (&json!(2), vec![json!(two)]));
    assert_eq!(wrong(ListingFault::Lacking).await["count"], 1);
    assert_eq!(ids(&wrong(ListingFault::Duplicate).await), [two, one, one]);
    assert_eq!(
        ids(&wrong(ListingFault::OtherServers).await),
        [other, two, one]
    );
    assert_eq!(wrong(ListingFault::Count(3)).await["count"], 5);
    assert_eq!(
        ids(&wrong(ListingFault::Unreadable).await)[1],
        json!("eight hundred")
    );
    assert_eq!(
        wrong(ListingFault::Nameless).await["results"][1],
        json!("a row")
    );
    assert_eq!(
        wrong(ListingFault::undated()).await["results"][0].get("created_at"),
        None
    );
    assert_eq!(
        wrong(ListingFault::status("odd")).await["results"][0]["status"],
        "odd"
    );
    assert_eq!(ids(&wrong(ListingFault::Empty).await), Vec::<Value>::new());
    // An account-wide listing is wrong only about the fault's server.
    sandbox.order(Fault::listing(ListingFault::status("odd")).server(1));
    sandbox.order(Fault::listing(ListingFault::Short).server(1));
    assert_eq!(list(&sandbox, "").await["results"][1]["status"], "odd");
    assert_eq!(ids(&list(&sandbox, "").await), [other, two]);
    assert_eq!(sandbox.orders(), 0);
}

#[tokio::test]
async fn a_stale_listing_shows_an_earlier_state() {
    let sandbox = started().await;
    let [one, two, _] = stocked(&sandbox)[..] else {
        panic!("three snapshots");
    };
    assert_eq!(delete(&sandbox, one).await, Some(204));
    let late = sandbox.add_snapshot(1, "by-hand", "completed", Timestamp::now());
    sandbox.order(Fault::listing(ListingFault::Stale(Staleness::LastMutation)));
    sandbox.order(Fault::listing(ListingFault::Stale(Staleness::Changes(1))));
    assert_eq!(ids(&list(&sandbox, "?server_id=1").await), [two, one]);
    assert_eq!(ids(&list(&sandbox, "?server_id=1").await), [two]);
    assert_eq!(ids(&list(&sandbox, "?server_id=1").await), [late, two]);
}

#[tokio::test]
async fn each_page_links_to_the_next_until_the_last() {
    let sandbox = started().await;
    stocked(&sandbox);
    sandbox.set_page_size(Some(2));
    let first = list(&sandbox, "").await;
    assert_eq!((&first["count"], ids(&first).len()), (&json!(3), 2));
    let next = first["next"].as_str().expect("a next page");
    let query = next.strip_prefix(&format!("{}/snapshots/", sandbox.base_url()));
    let second = list(&sandbox, query.expect("the same origin")).await;
    assert_eq!((ids(&second).len(), &second["next"]), (1, &Value::Null));
}

#[tokio::test]
async fn an_injected_fault_duplicates_a_snapshot_leaves_it_stuck_or_makes_it_vanish() {
    let sandbox = started().await;
    sandbox.order(Fault::made(CreateFault::Twice));
    sandbox.order(Fault::made(CreateFault::Stuck));
    sandbox.order(Fault::made(CreateFault::Vanishes));
    for name in ["twice", "stuck", "vanishes"] {
        assert_eq!(create(&sandbox, name).await.0, 201);
    }
    assert_eq!(sandbox.max_held(1), 4);
    let settled = |s: &Sandbox| {
        let completed = |row: &&StoredSnapshot| row.status == "completed";
        s.truth(1).len() == 3 && s.truth(1).iter().filter(completed).count() == 2
    };
    sandbox.wait_for(settled).await;
    assert_eq!(sandbox.truth(1)[0].name, "stuck");
    assert_eq!(sandbox.created(1), ["twice", "twice", "stuck", "vanishes"]);
}

#[tokio::test]
async fn only_one_restore_of_a_server_runs_at_a_time() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    let url = format!("{}/snapshots/{id}/restore/", sandbox.base_url());
    let client = client();
    let restore = async || {
        let answer = client.post(&url).bearer_auth("t").send().await;
        answer.expect("an answer").status().as_u16()
    };
    let (first, second) = tokio::join!(restore(), restore());
    assert_eq!(first.max(second), 400);
    assert_eq!(first.min(second), 200);
    sandbox
        .wait_for(|s| s.look(|state| state.server_status(1) == Some("active")))
        .await;
    assert_eq!(restore().await, 200);
    assert_eq!(sandbox.counts().restored, 2);
}

#[tokio::test]
async fn fifty_thousand_rows_are_sent_to_sixteen_clients_at_once() {
    let sandbox = started().await;
    for server in 0..10_000 {
        for _ in 0..5 {
            sandbox.add_snapshot(server, "weekly", "completed", Timestamp::UNIX_EPOCH);
        }
    }
    let url = format!("{}/snapshots/", sandbox.base_url());
    let reads = (0..16).map(|_| async {
        let answer = client().get(&url).bearer_auth("t").send().await;
        answer
            .expect("an answer")
            .bytes()
            .await
            .expect("a body")
            .len()
    });
    let sizes = futures_util::future::join_all(reads).await;
    assert!(sizes.iter().all(|size| *size > 5_000_000));
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_sandbox_and_cuts_hanging_connections() {
    let sandbox = started().await;
    let id = stocked(&sandbox)[0];
    let url = format!("{}/snapshots/{id}/", sandbox.base_url());
    sandbox.order(Fault::hang(CallKind::Delete));
    let hanging = tokio::spawn(client().delete(url).bearer_auth("t").send());
    sandbox.wait_for(|s| s.counts().delete == 1).await;
    drop(sandbox);
    assert!(hanging.await.expect("a result").is_err());
}

//! The stand-in answers as docs/api.md says.

use super::faults::{CallKind, CreateFault};
use super::*;
use crate::clock::Clock;

pub(super) async fn started() -> Sandbox {
    let sandbox = Sandbox::start(SandboxConfig {
        completes_after: SignedDuration::from_mins(1),
        ..SandboxConfig::new(Clock::fast(Timestamp::now(), 1000), "t")
    })
    .await
    .expect("it starts");
    sandbox.add_server(1, "web-01");
    sandbox
}

pub(super) fn client() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

pub(super) async fn create(sandbox: &Sandbox, name: &str) -> (u16, serde_json::Value) {
    let url = format!("{}/snapshots/", sandbox.base_url());
    let body = serde_json::json!({"server_id": 1, "name": name});
    let answer = client().post(url).bearer_auth("t").json(&body).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_created_snapshot_is_in_progress_first_and_completed_later() {
    let sandbox = started().await;
    let (status, body) = create(&sandbox, "a-1").await;
    assert_eq!(status, 201);
    assert_eq!(body["status"], "in_progress");
    assert_eq!(body["size_mb"], serde_json::Value::Null);
    sandbox
        .wait_for(|s| s.truth(1)[0].status == "completed")
        .await;
}

#[tokio::test]
async fn a_full_server_a_bad_name_and_a_wrong_token_are_refused() {
    let sandbox = started().await;
    assert_eq!(create(&sandbox, "a b").await.0, 400);
    for number in 0..5 {
        assert_eq!(create(&sandbox, &format!("a-{number}")).await.0, 201);
    }
    assert_eq!(create(&sandbox, "a-5").await.0, 400);
    assert_eq!(sandbox.max_held(1), 5);
    sandbox.set_token("other");
    assert_eq!(create(&sandbox, "a-6").await.0, 401);
}

#[tokio::test]
async fn a_late_effect_happens_after_its_error_answer() {
    let sandbox = started().await;
    sandbox.order(Fault::status(CallKind::Create, 500).late(SignedDuration::from_mins(2)));
    assert_eq!(create(&sandbox, "a-1").await.0, 500);
    sandbox.wait_for(|s| s.truth(1).len() == 1).await;
    sandbox.order(Fault::made(CreateFault::Failed));
    create(&sandbox, "a-2").await;
    let failed = |s: &Sandbox| s.truth(1).iter().any(|row| row.status == "failed");
    sandbox.wait_for(failed).await;
    assert_eq!(sandbox.orders(), 0);
}

//! Answers to creates and restores.

use super::tests::*;
use super::*;
use serde_json::{Value, json};

#[test]
fn an_answer_to_a_create_must_be_about_what_was_requested() {
    let asked = NewSnapshot {
        server: ServerId::from(1),
        name: "weekly-snapshot-7".into(),
        description: None,
    };
    let read = |answer: &Value| created(answer.to_string().as_bytes(), &asked);
    let good = with(row(7, 1), "message", json!("started"));
    assert_eq!(
        read(&good),
        Ok(CreatedSnapshot {
            hostname: None,
            uuid: None,
            id: SnapshotId::from(7),
            server_name: Some("web-1".into()),
            name: asked.name.clone()
        })
    );
    // The caller handles a different name: the id identifies the row.
    let other = with(good.clone(), "name", json!("weekly-snapshot-8"));
    assert_eq!(read(&other).unwrap().name, "weekly-snapshot-8");
    let bare = without(good.clone(), "server");
    assert_eq!(read(&bare).unwrap().server_name, None);
    for bad in [
        with(good.clone(), "server", json!({"id": 2, "name": "web-2"})),
        without(good.clone(), "id"),
        without(good.clone(), "name"),
        json!({}),
        json!("ok"),
        json!({"snapshot": good}),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
    assert!(created(b"", &asked).is_err());
}

#[test]
fn an_answer_to_a_restore_is_rejected_only_if_its_body_contradicts_success() {
    let read = |body: &str| restored(body.as_bytes(), &SnapshotId::from(801));
    for fine in [
        r#"{"status":"success","snapshot":{"id":801,"name":"x"}}"#,
        "",
        "<html>",
        "{}",
        r#"{"status":null,"snapshot":null}"#,
    ] {
        assert_eq!(read(fine), Ok(()), "{fine}");
    }
    assert!(read(r#"{"status":"error"}"#).is_err());
    assert!(read(r#"{"status":"success","status":"error"}"#).is_err());
    assert!(read(r#"{"status":"success","snapshot":{"id":802}}"#).is_err());
}

#[test]
fn a_create_without_a_description_sends_no_description_field() {
    let asked = NewSnapshot {
        server: ServerId::from(1),
        name: "n".into(),
        description: None,
    };
    let body = serde_json::to_string(&CreateBody::from(&asked)).unwrap();
    assert_eq!(body, r#"{"server_id":1,"name":"n"}"#);
}

#[test]
fn an_answer_to_a_create_with_a_duplicate_key_is_refused() {
    let asked = NewSnapshot {
        server: ServerId::from(1),
        name: "weekly-snapshot-1".to_owned(),
        description: None,
    };
    let text = row(1, 1).to_string();
    created(text.as_bytes(), &asked).unwrap();
    let twice = text.replacen('{', "{\"id\": 2,", 1);
    let why = created(twice.as_bytes(), &asked).unwrap_err();
    assert_eq!(why, "it has a duplicate key");
}

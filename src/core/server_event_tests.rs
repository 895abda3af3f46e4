//! The events whose records name the policy.

use super::*;

#[test]
fn intents_pauses_and_added_rotations_name_their_policy() {
    let named = |json: &str| {
        let event: ServerEvent = serde_json::from_str(json).expect("an event");
        event.is_by_policy()
    };
    for event in [
        r#"{"event":"rotation_added","rotation":"weekly"}"#,
        r#"{"event":"create_intent","snapshot":"w-1","known":[],"reason":""}"#,
        r#"{"event":"delete_intent","snapshot":"w-1","id":1,"reason":""}"#,
        r#"{"event":"restore_intent","snapshot":"w-1","id":1}"#,
        r#"{"event":"paused"}"#,
    ] {
        assert!(named(event), "{event}");
    }
    assert!(!named(r#"{"event":"delete_confirmed","id":1}"#));
    assert!(!named(r#"{"event":"server_removed"}"#));
}

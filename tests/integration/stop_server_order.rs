//! The order of a stop, the hooks and the create, and when no stop is sent.

use super::stop_server::{SERVER, place, policy};

#[test]
fn i11_a_server_with_another_name_than_in_its_policy_is_not_stopped() {
    let place = place("");
    let text =
        policy(SERVER, "0 0 * * *", "").replace("id = 12345", "id = 12345\nname = \"other\"");
    assert!(text.contains("other"));
    place.home.policy("web", &text);
    let (code, said) = place.once();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the provider calls this server"), "{said}");
    assert_eq!(place.provider.sandbox.powered(), []);
    assert_eq!(place.provider.sandbox.truth(SERVER), []);
    place.verified();
}

#[test]
fn i20_the_before_hook_runs_before_the_stop_and_the_after_hook_after_the_start() {
    let place = place(
        "[rotation.hooks]\nbefore = [\"/bin/echo\", \"held\"]\nafter = [\"/bin/echo\", \"released\"]",
    );
    let (code, said) = place.once();
    assert_eq!(code, Some(0), "{said}");
    let order: Vec<_> = place
        .home
        .trail()
        .iter()
        .filter_map(|record| match record["event"].as_str()? {
            "hook_finished" => Some(record["hook"].to_string()),
            event @ ("stop_confirmed" | "create_intent" | "start_confirmed") => {
                Some(event.to_owned())
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        order,
        [
            "\"before\"",
            "stop_confirmed",
            "create_intent",
            "start_confirmed",
            "\"after\""
        ]
    );
    place.verified();
}

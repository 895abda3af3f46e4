//! The demo, as a newcomer runs it.

use std::process::Command;

#[test]
fn the_demo_rotates_real_snapshots_and_ends_with_a_verified_trail() {
    let output = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["demo", "--for", "8s"])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let seen = |server: &str, what: &str| {
        text.lines()
            .any(|line| line.contains(server) && line.contains(what))
    };
    assert!(seen("fresh-01", " completed "), "{text}");
    assert!(
        seen("full-01", "the server is full and a slot is due"),
        "{text}"
    );
    assert!(seen("shared-01", "it is beyond keep"), "{text}");
    assert!(seen("foreign-01", "ALERT"), "{text}");
    assert!(seen("failing-01", " failed "), "{text}");
    assert!(text.contains("trail verified"), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    let kept = text.lines().filter(|line| line.contains("by-hand-"));
    assert_eq!(kept.count(), 5, "people's own snapshots stay: {text}");
}

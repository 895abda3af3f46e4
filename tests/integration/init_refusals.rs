//! Refusals of `init`: nothing is written, and files that exist stay as they are.

use std::path::Path;

use super::first_steps::{Desk, listed, read};
use crate::support::{stderr, stdout};
use snaprotate::sandbox::faults::{Fault, ListingFault};

#[test]
fn if_a_file_would_be_overwritten_init_writes_no_file_at_all() {
    let desk = Desk::new();
    let policies = desk.dir().join("policies.d");
    std::fs::create_dir_all(&policies).expect("a folder");
    std::fs::write(policies.join("db-01.toml.example"), "mine\n").expect("written");
    let output = desk.init(&[]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("policies.d/db-01.toml.example already exists"),
        "{said}"
    );
    assert_eq!(listed(&desk.dir()), ["policies.d"]);
    assert_eq!(listed(&policies), ["db-01.toml.example"]);
    assert_eq!(read(&policies.join("db-01.toml.example")), "mine\n");
}

#[test]
fn a_policy_that_does_not_validate_is_reported_by_its_path_and_nothing_is_written() {
    let desk = Desk::new();
    let main = read(&desk.home.path("snaprotate.toml"));
    std::fs::write(
        desk.home.path("snaprotate.toml"),
        main + "splay = \"30h\"\n",
    )
    .expect("written");
    let output = desk.run(&["init"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("splay (30h) must be shorter") && said.contains("policies.d/web-01.toml"),
        "{said}"
    );
    assert_eq!(listed(&desk.home.path("policies.d")), [""; 0]);
}

#[test]
fn if_the_token_is_rejected_or_the_listing_is_unreliable_nothing_is_written() {
    let desk = Desk::new();
    desk.provider
        .sandbox
        .order(Fault::listing(ListingFault::Count(1)));
    let output = desk.init(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("can't be relied on"),
        "{}",
        stderr(&output)
    );
    desk.provider.sandbox.set_token("another");
    let output = desk.init(&[]);
    assert_eq!(output.status.code(), Some(1));
    for said in [
        "401",
        "holds the whole token, or make a new token at the provider",
    ] {
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert!(!desk.home.path("new").exists());
}

#[test]
fn a_server_whose_rows_are_doubtful_is_left_out_and_named() {
    let desk = Desk::new();
    desk.provider
        .sandbox
        .order(Fault::listing(ListingFault::Unreadable).server(2));
    let output = desk.init(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("server 2 db/01: left out"),
        "{}",
        stdout(&output)
    );
    assert_eq!(listed(&desk.dir().join("policies.d")), ["web-01.toml"]);
}

#[test]
fn wrong_options_end_with_exit_code_2_and_the_error_says_what_to_write() {
    let desk = Desk::new();
    let dir = desk.dir();
    let dir = dir.to_str().expect("text");
    let token = desk.home.path("token");
    let token = token.to_str().expect("text");
    let open = desk.home.path("open");
    std::fs::write(&open, "x").expect("written");
    let open = open.to_str().expect("text");
    let cases: [(&[&str], &str); 5] = [
        (
            &[],
            "name the file that holds the API token with --token-file FILE",
        ),
        (&["--token-file", "/nowhere/token"], "/nowhere/token"),
        (
            &["--token-file", open],
            "gives other users access to the token; run chmod 600",
        ),
        (
            &["--token-file", token, "--base-url", "http://example.org/"],
            "base_url would send the token unencrypted",
        ),
        (
            &["--token-file", token, "--base-url", "nonsense"],
            "base_url",
        ),
    ];
    for (args, words) in cases {
        let output = desk.run(&[&["init", "--dir", dir], args].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(words),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert!(!Path::new(dir).exists());
    assert_eq!(desk.gets(), 0);
}

//! E-mail: what a mail server's own words may give away.

#[path = "support/receivers.rs"]
mod receivers;
#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use receivers::{full, receiver, trust};
use smtp::{Manner, Smtp};
use support::{stderr, stdout};

/// What must stand nowhere.
const PASSWORD: &str = "s3cr3t pass word";

/// Has a message sent to this server; `trusted` are the certificates of `ca_file`.
fn sent(server: &Smtp, tls: &str, trusted: Option<&str>) -> Output {
    let (_provider, home, _) = full();
    if let Some(pem) = trusted {
        trust(&home, pem);
    }
    home.secret("password", PASSWORD);
    receiver(
        &home,
        &format!(
            "type = \"email\"\nserver = \"localhost\"\nport = {}\ntls = \"{tls}\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\"]\nusername = \"user\"\npassword_file = \"password\"",
            server.address.port()
        ),
    );
    home.run(&["notify", "test"])
}

fn failed(output: &Output) -> String {
    let said = stdout(output) + &stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_password_that_a_mail_server_repeats_as_it_came_is_not_said() {
    let forms = [
        STANDARD.encode(format!("\0user\0{PASSWORD}")),
        STANDARD.encode(PASSWORD),
        PASSWORD.to_owned(),
    ];
    for (mechanism, repeated) in [
        ("PLAIN", "not by AUTH PLAIN [password]"),
        ("LOGIN", "not by [password]"),
    ] {
        let server = Smtp::start(Manner {
            mechanism: Some(mechanism),
            refuses: true,
            tls: None,
        });
        let said = failed(&sent(&server, "none", None));
        assert!(said.contains(repeated), "{said}");
        for form in &forms {
            assert!(!said.contains(form.trim_end_matches('=')), "{said}");
        }
    }
}

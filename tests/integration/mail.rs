//! E-mail: the commands to a mail server, and the secrets that its answers may give away.

use std::process::Output;

use crate::support::receivers::{full, receiver, trust};
use crate::support::smtp::{Manner, Smtp};
use crate::support::tls::{Certificate, identity};
use crate::support::{stderr, stdout};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Must appear nowhere.
const PASSWORD: &str = "s3cr3t pass word";

/// Sends a message to this server; `trusted` are the certificates of `ca_file`.
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
fn a_password_that_a_mail_server_repeats_as_it_was_sent_is_redacted() {
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

#[test]
fn with_starttls_only_a_greeting_is_sent_before_the_connection_is_secured() {
    let (tls, trusted) = identity(Certificate::Fits);
    let server = Smtp::start(Manner {
        tls: Some(tls),
        ..Manner::default()
    });
    let output = sent(&server, "starttls", Some(&trusted));
    assert_eq!(
        stdout(&output),
        "email (email): ok\n",
        "{}",
        stderr(&output)
    );
    assert_eq!(server.open(), ["EHLO", "STARTTLS"]);
    let letters = server.letters();
    let told = letters.first().expect("a letter").envelope.join(" ");
    let plain = STANDARD.encode(format!("\0user\0{PASSWORD}"));
    assert!(told.contains(&format!("AUTH PLAIN {plain}")), "{told}");
    assert!(told.contains("RCPT TO:<a@example.org>"), "{told}");
}

#[test]
fn a_mail_server_without_starttls_gets_neither_address_nor_password() {
    let server = Smtp::start(Manner::default());
    let said = failed(&sent(&server, "starttls", None));
    assert!(said.contains("STARTTLS is not supported"), "{said}");
    let told = server.open();
    let harmless = |word: &String| ["EHLO", "QUIT"].contains(&word.as_str());
    assert!(told.iter().all(harmless), "{told:?}");
}

#[test]
fn with_starttls_a_server_with_an_invalid_certificate_gets_neither_address_nor_password() {
    for certificate in [
        Certificate::SelfSigned,
        Certificate::OtherHost,
        Certificate::Expired,
    ] {
        let (tls, trusted) = identity(certificate);
        let server = Smtp::start(Manner {
            tls: Some(tls),
            ..Manner::default()
        });
        let said = failed(&sent(&server, "starttls", Some(&trusted)));
        assert!(said.contains("certificate"), "{certificate:?}: {said}");
        assert_eq!(server.open(), ["EHLO", "STARTTLS"], "{certificate:?}");
        assert!(server.letters().is_empty(), "{certificate:?}");
    }
}

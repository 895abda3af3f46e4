//! Reports as receivers get them: by mail, on a phone, in a chat.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::report::{fleet, planned, settled, weekly};
use crate::support::http::address;
use crate::support::notify::Service;
use crate::support::receivers::Hook;
use crate::support::smtp::{Manner, Smtp};
use crate::support::until;

/// Returns the decoded parts of a mail, each with its type.
fn parts(mail: &str) -> Vec<(String, String)> {
    let parts = mail.split("Content-Type: text/").skip(1);
    let parts = parts.map(|part| {
        let (kind, rest) = part.split_once(';').expect("a type");
        let (_, body) = rest.split_once("\r\n\r\n").expect("a body");
        let body: String = body
            .lines()
            .take_while(|line| !line.starts_with("--"))
            .collect();
        let text = STANDARD.decode(body).expect("base64");
        (kind.to_owned(), String::from_utf8(text).expect("text"))
    });
    parts.collect()
}

#[test]
fn mail_has_text_and_html_and_a_phone_gets_a_few_lines_with_a_link() {
    let (_provider, home) = fleet();
    let (server, phone, chat) = (Smtp::start(Manner::default()), Hook::start(), Hook::start());
    let port = server.address.port();
    weekly(
        &home,
        &format!(
            "type = \"email\"\nserver = \"localhost\"\nport = {port}\ntls = \"none\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\"]\non = [\"witness_failed\"]"
        ),
    );
    let url = phone.url("/topic");
    weekly(
        &home,
        &format!(
            "type = \"ntfy\"\nurl = \"{url}\"\non = [\"witness_failed\"]\nservers = [\"server-7\"]"
        ),
    );
    let url = chat.url("/hook");
    weekly(
        &home,
        &format!("type = \"slack\"\nurl = \"{url}\"\non = [\"witness_failed\"]"),
    );
    let path = home.path("snaprotate.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let settings = format!(
        "{settings}\n[http]\nlisten = \"{}\"\nurl = \"https://admin.example.org/rotation\"\n",
        address()
    );
    std::fs::write(&path, settings).expect("written");
    planned(&home, &["email", "ntfy", "slack"], 8);
    let service = Service::start(&home);
    settled(&home);
    until("all reports are sent", || {
        !server.letters().is_empty() && !phone.came().is_empty() && !chat.came().is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    let mail = &server.letters()[0].data;
    assert!(
        mail.contains("Content-Type: multipart/alternative; boundary="),
        "{mail}"
    );
    let parts = parts(mail);
    let [(plain, text), (html, page)] = &parts[..] else {
        panic!("{parts:?}");
    };
    assert_eq!((plain.as_str(), html.as_str()), ("plain", "html"));
    for words in ["Recovery points: ", "SERVER ", "server-8: "] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        page.contains("bgcolor=") && page.contains("server-8"),
        "{page}"
    );
    let came = &phone.came()[0];
    assert_eq!(
        came.header("title"),
        Some("Weekly report: all is well on 1 server")
    );
    assert_eq!(came.header("priority"), Some("low"));
    let link = "https://admin.example.org/rotation/";
    assert_eq!(came.header("click"), Some(link));
    assert!(
        came.body.lines().count() < 12 && !came.body.contains("server-8"),
        "{}",
        came.body
    );
    let said = chat.came()[0].json()["text"].to_string();
    assert!(said.contains("server-8: ") && said.contains(link), "{said}");
}

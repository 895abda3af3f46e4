//! Delivers messages by SMTP.

use std::path::Path;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as SmtpTls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

use crate::alerts::{AlertChange, Message, encoded_word};
use crate::api::chain;
use crate::config::notify::{Mail, Tls};

/// Base64 characters per line (RFC 2045).
const LINE: usize = 76;

/// Separates the parts of a message.
const BOUNDARY: &str = "snaprotate-part";

pub(super) async fn send(
    settings: &Mail,
    password: Option<SecretString>,
    ca_file: Option<&Path>,
    message: &Message,
) -> Result<(), String> {
    let wrong = |error: &dyn std::error::Error| chain(error);
    let address = |text: &str| Address::from_str(text).map_err(|error| wrong(&error));
    let to: Result<Vec<_>, _> = settings.to.iter().map(|to| address(to)).collect();
    let envelope = Envelope::new(Some(address(&settings.from)?), to?);
    let envelope = envelope.map_err(|error| wrong(&error))?;
    let host = domain(&message.host);
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server);
    let mut builder = builder
        .port(settings.port)
        .hello_name(ClientId::Domain(host.clone()))
        .tls(guard(settings, ca_file)?);
    if let (Some((user, _)), Some(password)) = (&settings.login, &password) {
        let secret = password.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), secret));
    }
    let letter = letter(settings, &host, message);
    let sent = builder.build().send_raw(&envelope, letter.as_bytes()).await;
    sent.map(|_| ()).map_err(|error| {
        let text = chain(&error);
        match (&settings.login, &password) {
            (Some((user, _)), Some(password)) => unsaid(text, user, password),
            _ => text,
        }
    })
}

/// Removes the password from a server's reply that repeats it. The password was sent in base64:
/// after the user's name (PLAIN, RFC 4616), or alone (LOGIN).
fn unsaid(text: String, user: &str, password: &SecretString) -> String {
    let password = password.expose_secret();
    let plain = STANDARD.encode(format!("\0{user}\0{password}"));
    let login = STANDARD.encode(password);
    // A reply may repeat a padded text without its padding.
    let forms = [&plain, &login].map(|form| [form, form.trim_end_matches('=')]);
    let forms = forms.as_flattened().iter().chain([&password]);
    forms.fold(text, |text, form| text.replace(form, "[password]"))
}

fn guard(settings: &Mail, ca_file: Option<&Path>) -> Result<SmtpTls, String> {
    if settings.tls == Tls::None {
        return Ok(SmtpTls::None);
    }
    let mut parameters = TlsParameters::builder(settings.server.clone());
    if let Some(path) = ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let certificate = Certificate::from_pem(&pem);
        let certificate =
            certificate.map_err(|error| format!("{}: {}", path.display(), chain(&error)))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls().map_err(|error| chain(&error))?;
    Ok(match settings.tls {
        Tls::Tls => SmtpTls::Wrapper(parameters),
        _ => SmtpTls::Required(parameters),
    })
}

/// Returns the message with its headers (RFC 5322), all ASCII.
fn letter(settings: &Mail, host: &str, message: &Message) -> String {
    let zoned = message.time.to_zoned(TimeZone::UTC);
    let date = rfc2822::to_string(&zoned).unwrap_or_default();
    let id = format!("{}.{}", message.time.as_nanosecond(), std::process::id());
    let priority = match message.event {
        AlertChange::Raised => "Importance: high\r\n",
        _ => "",
    };
    format!(
        "From: snaprotate <{}>\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{id}@{host}>\r\n{priority}\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n{}",
        settings.from,
        settings.to.join(", "),
        encoded_word(&message.subject()).replace("?= =?", "?=\r\n =?"),
        contents(message),
    )
}

/// Returns the text, and the same as HTML if the message has it (RFC 2046, 5.1.4).
fn contents(message: &Message) -> String {
    let text = part("plain", &message.text());
    let Some(html) = message.html() else {
        return text;
    };
    // No line of base64 begins with two hyphens.
    let html = part("html", &html);
    format!(
        "Content-Type: multipart/alternative; boundary=\"{BOUNDARY}\"\r\n\r\n\
         --{BOUNDARY}\r\n{text}--{BOUNDARY}\r\n{html}--{BOUNDARY}--\r\n"
    )
}

/// Returns a text with the headers of its type, in base64.
fn part(subtype: &str, text: &str) -> String {
    let body = STANDARD.encode(text.replace('\n', "\r\n"));
    let lines = body.as_bytes().chunks(LINE).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines.join("\r\n")
    )
}

/// Returns the characters of the host's name that SMTP allows; `localhost` if there are none.
fn domain(host: &str) -> String {
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let name: String = host.chars().filter(fit).collect();
    if name.is_empty() {
        return "localhost".to_owned();
    }
    name
}

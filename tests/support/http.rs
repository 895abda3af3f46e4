//! Requests to the page as plain bytes, including ones that no browser sends.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Returns an address that no other test uses: all of 127/8 is this host.
pub fn address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    (Ipv4Addr::new(127, nth, high, low.max(1)), 9180).into()
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut lines = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.next().map(|(_, value)| value)
    }
}

/// Sends a request. Returns `None` if nobody listens.
pub fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> Option<Answer> {
    let (head, body) = exchange(
        address,
        &format!("{method} {{path}} HTTP/1.1\r\nHost: {host}\r\n"),
        path,
    )?;
    let body = String::from_utf8(body).expect("text");
    Some(Answer {
        body: crate::support::ids::numbered(&body),
        ..answer(&head)
    })
}

/// Sends a GET with these header lines. Returns the answer without its body, and the body's bytes.
pub fn get_with(address: SocketAddr, path: &str, lines: &[&str]) -> (Answer, Vec<u8>) {
    let lines = lines.iter().map(|line| format!("{line}\r\n"));
    let lines: String = lines.collect();
    let head = format!("GET {{path}} HTTP/1.1\r\nHost: {address}\r\n{lines}");
    let (head, body) =
        exchange(address, &head, path).unwrap_or_else(|| panic!("nobody listens at {address}"));
    (answer(&head), body)
}

/// Sends a head, with the path in place of `{path}`. Returns the answer's head and body.
fn exchange(address: SocketAddr, head: &str, path: &str) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("a limit");
    let head = head.replacen("{path}", &crate::support::ids::path(path), 1);
    let request = format!("{head}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).expect("text");
    Some((head.trim_end().to_owned(), body))
}

fn answer(head: &str) -> Answer {
    let status = head.split(' ').nth(1).expect("a status");
    Answer {
        status: status.parse().expect("a number"),
        head: crate::support::ids::numbered(head),
        body: String::new(),
    }
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    let host = address.to_string();
    ask(address, "GET", path, &host).unwrap_or_else(|| panic!("nobody listens at {host}"))
}

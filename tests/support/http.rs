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
    let mut stream = TcpStream::connect(address).ok()?;
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("a limit");
    let path = crate::support::ids::path(path);
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    Some(Answer {
        status: status.parse().expect("a number"),
        head: crate::support::ids::numbered(head),
        body: crate::support::ids::numbered(body),
    })
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    let host = address.to_string();
    ask(address, "GET", path, &host).unwrap_or_else(|| panic!("nobody listens at {host}"))
}

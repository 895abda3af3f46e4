//! A receiver of alerts on loopback, over HTTP, which keeps its requests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::support::{Home, Provider, QUICK, days_ago};

pub const SERVER: u64 = 7;

/// Returns a server that is full of foreign snapshots, and their ids.
pub fn full() -> (Provider, Home, Vec<u64>) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for n in 0..5 {
        let name = format!("by-hand-{n}");
        let at = days_ago(n + 1);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let ids = provider
        .sandbox
        .truth(SERVER)
        .iter()
        .map(|row| row.id)
        .collect();
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    (provider, home, ids)
}

/// Adds a `[[notify]]` with these lines.
pub fn receiver(home: &Home, text: &str) {
    let path = home.path("snaprotate.toml");
    let mut all = std::fs::read_to_string(&path).expect("read");
    let _written = write!(all, "\n[[notify]]\n{text}\n");
    std::fs::write(path, all).expect("written");
}

/// Adds a webhook whose address is in a secret file.
pub fn webhook(home: &Home, name: &str, url: &str) {
    home.secret(name, url);
    receiver(
        home,
        &format!("type = \"webhook\"\nname = \"{name}\"\nurl_file = \"{name}\""),
    );
}

/// Writes these certificates to `ca_file`.
pub fn trust(home: &Home, pem: &str) {
    std::fs::write(home.path("ca.pem"), pem).expect("written");
    let path = home.path("snaprotate.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    if !text.contains("ca_file") {
        let text = text.replace("[api]\n", "[api]\nca_file = \"ca.pem\"\n");
        std::fs::write(path, text).expect("written");
    }
}

/// One received request.
#[derive(Clone, Debug)]
pub struct Came {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Came {
    pub fn json(&self) -> Value {
        let body = crate::support::ids::numbered(&self.body);
        serde_json::from_str(&body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The answer of a receiver.
#[derive(Clone, Debug)]
pub enum Answer {
    /// `200 OK` or another status, with this header line.
    Status(&'static str, String),
    /// No answer; the connection stays open.
    Never,
}

#[derive(Default)]
struct Kept {
    came: Vec<Came>,
    connections: usize,
    held: Vec<TcpStream>,
}

/// An HTTP receiver.
pub struct Hook {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    answer: Arc<Mutex<Answer>>,
}

impl Hook {
    pub fn start() -> Self {
        Self::answering(Answer::Status("200 OK", String::new()))
    }

    pub fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let answer = Arc::new(Mutex::new(answer));
        let hook = Self {
            address,
            kept: Arc::clone(&kept),
            answer: Arc::clone(&answer),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                kept.lock().expect("whole").connections += 1;
                let answer = answer.lock().expect("whole").clone();
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &kept, &answer));
            }
        });
        hook
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("whole") = answer;
    }

    pub fn came(&self) -> Vec<Came> {
        self.kept.lock().expect("whole").came.clone()
    }

    pub fn connections(&self) -> usize {
        self.kept.lock().expect("whole").connections
    }

    /// Returns `event alert` for each alert of each message, in the order of arrival.
    pub fn told(&self) -> Vec<String> {
        let messages = self.came().into_iter().map(|came| came.json());
        let of = |message: Value| -> Vec<String> {
            let event = message["event"].as_str().expect("a word").to_owned();
            let alerts = message["alerts"].as_array().expect("a list").iter();
            alerts
                .map(|alert| format!("{event} {}", alert["alert"].as_str().expect("a word")))
                .collect()
        };
        messages.flat_map(of).collect()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Kept>, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let Some((key, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((key.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(key, _)| key == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let came = Came {
        path,
        headers,
        body: String::from_utf8(body).expect("text"),
    };
    let mut stream = stream;
    match answer {
        Answer::Never => kept.lock().expect("whole").held.push(stream),
        Answer::Status(status, header) => {
            let said = format!(
                "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                came.path.len(),
                // Repeats the address, as a careless server does.
                came.path
            );
            kept.lock().expect("whole").came.push(came);
            let _gone = stream.write_all(said.as_bytes());
        }
    }
}

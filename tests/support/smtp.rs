//! A small SMTP server on loopback, which keeps its messages.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The server's behaviour.
#[derive(Clone, Default)]
pub struct Manner {
    /// The mechanism by which clients authenticate; `PLAIN` if `None`.
    pub mechanism: Option<&'static str>,
    /// True if it rejects the login and repeats the client's own words.
    pub refuses: bool,
    /// The TLS settings for STARTTLS; `None`: it offers none.
    pub tls: Option<Arc<ServerConfig>>,
}

/// One client's lines before the message, and the message.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub envelope: Vec<String>,
    pub data: String,
}

/// Everything that was received.
#[derive(Default)]
struct Kept {
    letters: Vec<Letter>,
    /// Lines that came without TLS, which anybody could have read.
    open: Vec<String>,
}

/// The server.
pub struct Smtp {
    pub address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Smtp {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let smtp = Self {
            address,
            kept: Arc::clone(&kept),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _gone = greeted(stream, &manner, &kept);
            }
        });
        smtp
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.kept.lock().expect("whole").letters.clone()
    }

    /// Returns the first word of each line that came without TLS.
    pub fn open(&self) -> Vec<String> {
        let kept = self.kept.lock().expect("whole");
        let words = kept.open.iter().map(|line| word(line));
        words.collect()
    }
}

fn word(line: &str) -> String {
    let word = line.split([' ', ':']).next().unwrap_or_default();
    word.to_uppercase()
}

fn greeted(stream: TcpStream, manner: &Manner, kept: &Mutex<Kept>) -> Option<()> {
    let mut open = Talk(BufReader::new(stream));
    open.say("220 mail.example ESMTP")?;
    let Some(tls) = &manner.tls else {
        return converse(open, manner, kept, false);
    };
    loop {
        let line = open.hear()?;
        kept.lock().expect("whole").open.push(line.clone());
        match word(&line).as_str() {
            "EHLO" => open.say("250-mail.example\r\n250 STARTTLS")?,
            "STARTTLS" => break open.say("220 go on")?,
            _ => open.say("530 not without STARTTLS")?,
        }
    }
    let connection = ServerConnection::new(Arc::clone(tls)).ok()?;
    let stream = StreamOwned::new(connection, open.0.into_inner());
    converse(Talk(BufReader::new(stream)), manner, kept, true)
}

fn converse<S: Read + Write>(
    mut talk: Talk<S>,
    manner: &Manner,
    kept: &Mutex<Kept>,
    secured: bool,
) -> Option<()> {
    let mechanism = manner.mechanism.unwrap_or("PLAIN");
    let mut letter = Letter::default();
    loop {
        let line = talk.hear()?;
        if !secured {
            kept.lock().expect("whole").open.push(line.clone());
        }
        letter.envelope.push(line.clone());
        match word(&line).as_str() {
            "EHLO" => talk.say(&format!("250-mail.example\r\n250 AUTH {mechanism}"))?,
            "AUTH" => {
                let mut last = line;
                if mechanism == "LOGIN" {
                    for asked in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"] {
                        talk.say(&format!("334 {asked}"))?;
                        last = talk.hear()?;
                    }
                }
                if manner.refuses {
                    talk.say(&format!("535 5.7.8 not by {last}"))?;
                } else {
                    talk.say("235 good")?;
                }
            }
            "DATA" => {
                talk.say("354 go on")?;
                loop {
                    let line = talk.hear()?;
                    if line == "." {
                        break;
                    }
                    letter.data.push_str(&line);
                    letter.data.push_str("\r\n");
                }
                kept.lock().expect("whole").letters.push(letter);
                return talk.say("250 taken");
            }
            _ => talk.say("250 good")?,
        }
    }
}

/// A conversation by lines.
struct Talk<S>(BufReader<S>);

impl<S: Read + Write> Talk<S> {
    fn say(&mut self, text: &str) -> Option<()> {
        let text = format!("{text}\r\n");
        self.0.get_mut().write_all(text.as_bytes()).ok()?;
        self.0.get_mut().flush().ok()
    }

    /// Reads a line, without its end; `None` if the client closed the connection.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

//! Django REST framework itself, as a provider for tests.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Home, TOKEN, until};

/// The application; it ends with the test.
pub struct Django {
    child: Child,
    /// Kept open: a write to a closed pipe would end the application.
    _says: Lines<BufReader<ChildStdout>>,
    pub base_url: String,
    /// The ids of the servers that rotate.
    pub servers: Vec<String>,
}

impl Django {
    /// Starts it. Returns `None`, after a line that says so, where Django isn't installed; in CI it
    /// must be.
    pub fn start(home: &Path, pagination: &str, ids: &str, servers: usize) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/drf/bin/python");
        if !python.exists() {
            let missing = "Django REST framework isn't installed in target/drf";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let mut child = Command::new(python)
            .arg(root.join("tests/drf/app.py"))
            .arg(address.to_string())
            .env("DATABASE", home.join(format!("{pagination}-{ids}.sqlite")))
            .env("PAGINATION", pagination)
            .env("IDS", ids)
            .env("SERVERS", servers.to_string())
            .env("TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ids = lines
            .by_ref()
            .take(servers)
            .map(|line| line.expect("an id"));
        let servers = ids.collect();
        until("it listens", || TcpStream::connect(address).is_ok());
        Some(Self {
            child,
            _says: lines,
            base_url: format!("http://{address}/api/v1"),
            servers,
        })
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Writes a daily policy for this server, with an id of either shape.
pub fn daily(home: &Home, id: &str, name: &str) {
    let id = match id.parse::<u64>() {
        Ok(id) => id.to_string(),
        Err(_) => format!("{id:?}"),
    };
    let policy = format!(
        "[server]\nid = {id}\nname = \"{name}\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n"
    );
    std::fs::write(home.path("policies.d/web.toml"), policy).expect("written");
}

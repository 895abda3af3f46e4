//! Against Django REST framework itself: its three paginations, with ids of either shape.

mod support;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{Home, QUICK, TOKEN, daily_name, stderr, stdout, until, verified};

/// The application, ended with the test.
struct Django {
    child: Child,
    base_url: String,
    /// The id of the server that rotates.
    server: String,
}

impl Django {
    /// `None`, and a line that says so, where Django isn't installed; on CI it must be.
    fn start(home: &Path, pagination: &str, ids: &str) -> Option<Self> {
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
            .env("TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let server = lines.next().expect("an id").expect("a line");
        until("it listens", || TcpStream::connect(address).is_ok());
        Some(Self {
            child,
            base_url: format!("http://{address}/api/v1"),
            server,
        })
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_server_rotates_by_page_number_offset_and_cursor_with_integers_and_uuids() {
    for pagination in ["page", "offset", "cursor"] {
        for ids in ["integers", "uuids"] {
            let folder = tempfile::tempdir().expect("a folder");
            let Some(django) = Django::start(folder.path(), pagination, ids) else {
                return;
            };
            rotates(&django, &format!("{pagination}, {ids}"));
        }
    }
}

fn rotates(django: &Django, which: &str) {
    let home = Home::new(&django.base_url, "", QUICK);
    let id = match django.server.parse::<u64>() {
        Ok(id) => id.to_string(),
        Err(_) => format!("{:?}", django.server),
    };
    let policy = format!(
        "[server]\nid = {id}\nname = \"web-01\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n"
    );
    std::fs::write(home.path("policies.d/web.toml"), policy).expect("written");
    let output = home.run(&["once"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{which}: {}",
        stderr(&output)
    );
    let output = home.run(&["list", "web", "--json"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{which}: {}",
        stderr(&output)
    );
    let listed: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(listed["doubt"], Value::Null, "{which}: {listed}");
    let rows = listed["servers"][0]["snapshots"].as_array().expect("rows");
    let mut names: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names.last(), Some(&&*daily_name(0)), "{which}: {names:?}");
    assert_eq!(home.events("create_intent").len(), 1, "{which}");
    assert_eq!(
        home.events("create_result")[0]["outcome"],
        "done",
        "{which}"
    );
    verified(&home);
}

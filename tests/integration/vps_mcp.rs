//! The provider's own published client against the stand-in: it lists servers, and stops and starts
//! one, so the stand-in is compatible with that client.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::support::{Provider, TOKEN, until};
use jiff::SignedDuration;
use serde_json::{Value, json};
use snaprotate::sandbox::{IdShape, PowerAction, server_uuid};

/// The client, which speaks JSON-RPC line by line; stopped at the end of the test.
struct Client {
    child: Child,
    into: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: u64,
}

impl Client {
    /// Starts the client. Returns `None` and prints a line if the client isn't installed; fails on
    /// CI.
    fn start(base_url: &str) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vps-mcp/bin/vps-mcp");
        if !program.exists() {
            let missing = "vps-mcp isn't installed in target/vps-mcp";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        }
        let mut child = Command::new(program)
            .env("VPS_API_URL", base_url)
            .env("VPS_API_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let into = child.stdin.take().expect("its input");
        let from = BufReader::new(child.stdout.take().expect("its output"));
        let mut client = Self {
            child,
            into,
            from,
            asked: 0,
        };
        let about = json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "a-test", "version": "1"}
        });
        client.ask("initialize", &about);
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        Some(client)
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.into, "{message}").expect("sent");
        self.into.flush().expect("sent");
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            let length = self.from.read_line(&mut line).expect("an answer");
            assert!(length > 0, "{method}: the client ended");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["id"] == id {
                return answer["result"].clone();
            }
        }
    }

    /// Calls a tool, and returns its text.
    fn tool(&mut self, name: &str, arguments: &Value) -> String {
        let answer = self.ask("tools/call", &json!({"name": name, "arguments": arguments}));
        let text = answer["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{name}: {answer}"))
            .to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn the_providers_own_client_lists_the_stand_ins_servers_and_stops_and_starts_one() {
    let latency = Duration::from_millis(1);
    let provider = Provider::showing(IdShape::Uuids, SignedDuration::from_millis(200), latency);
    for nth in 1..=25 {
        provider.sandbox.add_server(nth, &format!("web-{nth:02}"));
    }
    provider.sandbox.set_page_sizes(20, 100);
    let uuid = server_uuid(3);
    let Some(mut client) = Client::start(&provider.sandbox.base_url()) else {
        return;
    };
    let first = client.tool("list_servers", &json!({"page_size": 20}));
    assert!(first.contains("web-03") && first.contains(&uuid), "{first}");
    assert!(first.contains("Page 1 of 2 (25 total)"), "{first}");
    let second = client.tool("list_servers", &json!({"page": 2, "page_size": 20}));
    assert!(second.contains("web-25"), "{second}");

    let one = client.tool("get_server", &json!({"server_uuid": uuid}));
    assert!(one.contains("web-03") && one.contains("active"), "{one}");
    for (action, status) in [("stop", "stopped"), ("start", "active")] {
        let arguments = json!({"server_uuid": uuid, "action": action});
        let said = client.tool("server_power", &arguments);
        assert!(said.contains(&format!("'{action}' sent")), "{said}");
        until(status, || {
            provider.sandbox.server_status(3).as_deref() == Some(status)
        });
    }
    assert_eq!(
        provider.sandbox.powered(),
        [(3, PowerAction::Stop), (3, PowerAction::Start)]
    );
    let refused = client.tool(
        "server_power",
        &json!({"server_uuid": uuid, "action": "start"}),
    );
    assert_eq!(refused, "Error (400): the server is not in a valid state");
    let missing = server_uuid(99);
    let missing = client.tool("get_server", &json!({"server_uuid": missing}));
    assert_eq!(missing, "Error (404): Not found.");
}

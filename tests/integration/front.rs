//! A real nginx in front of a provider: it rejects requests that arrive too fast and sends no
//! `Retry-After`. Each trial makes its snapshot, and none gives up its slot.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::drf;
use crate::support::{Daemon, Home, Provider, QUICK, until, verified, within};
use tempfile::TempDir;

/// Requests per second that nginx lets through, without a burst.
const LIMITS: [u32; 4] = [2, 5, 10, 50];
/// Status with which nginx answers the other requests.
const CODES: [u16; 2] = [429, 503];
/// Requests per second that the client is configured for.
const RATES: [u32; 3] = [4, 5, 200];

/// nginx with a port for each trial; killed on drop.
struct Nginx {
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts nginx. If it isn't installed, prints a line that says so and returns `None`; in CI it
    /// must be installed.
    fn start(upstream: &str, trials: &[(u16, u32, u16)]) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"];
        let Some(program) = program
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
        else {
            let missing = "nginx isn't installed";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let mut text = format!(
            "daemon off; master_process off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{\naccess_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n"
        );
        for rate in LIMITS {
            let zone = format!("limit_req_zone $server_port zone=z{rate}:1m rate={rate}r/s;\n");
            text.push_str(&zone);
        }
        for (port, rate, code) in trials {
            let _ = write!(
                text,
                "server {{ listen 127.0.0.1:{port}; limit_req_status {code};\n\
                 location / {{ limit_req zone=z{rate}; proxy_pass {upstream}; }} }}\n"
            );
        }
        text.push_str("}\n");
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-p").arg(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx starts");
        let open = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        until("nginx listens", || {
            trials.iter().all(|(port, _, _)| open(*port))
        });
        Some(Self {
            child,
            _folder: folder,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let open: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
        .collect();
    let ports = open
        .iter()
        .map(|one| one.local_addr().expect("an address").port());
    ports.collect()
}

#[test]
fn behind_a_silent_rate_limit_each_slot_gets_its_snapshot_within_a_minute() {
    let provider = Provider::quick();
    let limits = LIMITS
        .into_iter()
        .flat_map(|limit| CODES.map(|code| (limit, code)));
    let trials: Vec<_> = limits
        .flat_map(|(limit, code)| RATES.map(|rate| (limit, code, rate)))
        .collect();
    let ports = free_ports(trials.len());
    let fronts = ports.iter().zip(&trials);
    let fronts: Vec<_> = fronts
        .map(|(port, (limit, code, _))| (*port, *limit, *code))
        .collect();
    let upstream = provider.sandbox.base_url();
    let upstream = upstream.trim_end_matches("/api/v1");
    let Some(_nginx) = Nginx::start(upstream, &fronts) else {
        return;
    };
    let mut homes = Vec::new();
    for (id, (port, (_, _, rate))) in (1..).zip(ports.iter().zip(&trials)) {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        let home = home(*port, *rate);
        home.daily(id, 3, "");
        homes.push(home);
    }
    settle(&homes, &trials, Duration::from_mins(1));
    for (id, trial) in (1..).zip(&trials) {
        assert_eq!(provider.sandbox.created(id).len(), 1, "{trial:?}");
    }
}

#[test]
fn a_silent_rate_limit_in_front_of_django_rest_framework_costs_no_slot() {
    let trials: Vec<_> = LIMITS
        .into_iter()
        .flat_map(|limit| RATES.map(|rate| (limit, 429, rate)))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(django) = drf::Django::start(folder.path(), "page", "uuids", trials.len()) else {
        return;
    };
    let ports = free_ports(trials.len());
    let fronts = ports.iter().zip(&trials);
    let fronts: Vec<_> = fronts
        .map(|(port, (limit, code, _))| (*port, *limit, *code))
        .collect();
    let Some(_nginx) = Nginx::start(django.base_url.trim_end_matches("/api/v1"), &fronts) else {
        return;
    };
    let mut homes = Vec::new();
    for (nth, (port, (_, _, rate))) in (1..).zip(ports.iter().zip(&trials)) {
        let home = home(*port, *rate);
        drf::daily(&home, &django.servers[nth - 1], &format!("web-{nth:02}"));
        homes.push(home);
    }
    // One Python process serves all trials while the other tests run.
    settle(&homes, &trials, Duration::from_mins(3));
}

fn home(port: u16, rate: u32) -> Home {
    let address = format!("http://127.0.0.1:{port}/api/v1");
    let home = Home::new(&address, "", QUICK);
    let file = home.path("snaprotate.toml");
    let text = std::fs::read_to_string(&file).expect("written");
    let rate = format!("requests_per_second = {rate}");
    let text = text.replace("requests_per_second = 0", &rate);
    std::fs::write(&file, text).expect("written");
    home
}

/// Runs a service for each home until its slot is settled, within `limit`, and asserts that no
/// slot was given up.
fn settle(homes: &[Home], trials: &[(u32, u16, u32)], limit: Duration) {
    let daemons: Vec<Daemon> = homes.iter().map(|home| home.start(&["run"])).collect();
    within(limit, "each trial's slot is settled", || {
        homes
            .iter()
            .all(|home| !home.events("slot_settled").is_empty())
    });
    for daemon in daemons {
        assert_eq!(daemon.stop(), Some(0));
    }
    for (home, trial) in homes.iter().zip(trials) {
        let given_up = home.events("slot_given_up");
        assert!(given_up.is_empty(), "{trial:?}: {given_up:?}");
        let created = home.events("create_result");
        let done = created
            .iter()
            .filter(|one| one["outcome"] == "done")
            .count();
        assert_eq!(done, 1, "{trial:?}");
        verified(home);
    }
}

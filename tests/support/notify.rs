//! A daemon with a service manager: tests wait for its notifications instead of sleeping.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Daemon, Home};

/// Longer than anything here takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon, and the socket that receives its notifications.
pub struct Service {
    pub daemon: Daemon,
    notify: UnixDatagram,
}

impl Service {
    /// Starts the daemon, and returns when it is ready.
    pub fn start(home: &Home) -> Self {
        let service = Self::begin(home, &[]);
        service.hears("READY=1");
        service
    }

    /// Starts the daemon with further environment variables.
    pub fn begin(home: &Home, env: &[(&str, &str)]) -> Self {
        let socket = home.path("notify");
        let _none = std::fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).expect("a socket");
        notify.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut command = home.command(&["run"]);
        command
            .env("NOTIFY_SOCKET", &socket)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(home.path("stderr")).expect("a file"));
        let daemon = Daemon(command.spawn().expect("it starts"));
        Self { daemon, notify }
    }

    /// Waits for a message that contains this, and returns it.
    pub fn hears(&self, what: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = match self.notify.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("{what} was not said: {error}"),
            };
            let message = String::from_utf8_lossy(&buffer[..length]);
            if message.contains(what) {
                return message.into_owned();
            }
        }
    }

    /// Reloads the configuration, and returns the message that ends the reload.
    pub fn reload(&self) -> String {
        self.daemon.signal("HUP");
        let reloading = self.hears("RELOADING=1");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        self.hears("READY=1")
    }

    /// Ends it by SIGTERM, and returns the exit code.
    pub fn stop(self) -> Option<i32> {
        self.daemon.stop()
    }
}

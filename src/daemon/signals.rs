//! Signals from an administrator or systemd.
//!
//! Signals of one kind coalesce, so they are not counted: whether one SIGHUP arrives or five, the
//! files may have changed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::StreamExt as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook_tokio::{Handle, Signals as Stream};

/// A signal that the service acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End; no new mutation begins, except owed starts.
    Stop(&'static str),
    /// Read the files again.
    Reload,
}

/// The stream of signals to this process.
pub struct Signals {
    stream: Stream,
    handle: Handle,
}

impl Signals {
    /// Listens from now on. A second SIGTERM or SIGINT ends the process at once, even if the
    /// runtime hangs.
    pub fn listen() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // The order matters: the first signal finds the flag unset and then sets it.
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        let stream = Stream::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = stream.handle();
        Ok(Self { stream, handle })
    }

    /// Waits for the next signal. Cancel-safe: no signal is lost.
    pub async fn next(&mut self) -> Signal {
        match self.stream.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(SIGINT) => Signal::Stop("SIGINT"),
            Some(_) => Signal::Stop("SIGTERM"),
            // Only drop closes the stream.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

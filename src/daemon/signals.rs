//! What an administrator or systemd says by signals.
//!
//! Signals of one kind coalesce, so they are levels, not counts: one SIGHUP or five mean
//! that the files may have changed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::StreamExt as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook_tokio::{Handle, Signals as Stream};

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End: no new mutation.
    Stop(&'static str),
    /// Read the files again.
    Reload,
}

/// The signals that come to this process.
pub struct Signals {
    stream: Stream,
    handle: Handle,
}

impl Signals {
    /// Listens from now on. A second SIGTERM or SIGINT ends the process at once, even when
    /// the runtime is wedged.
    pub fn listen() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal finds the flag down, and then raises it.
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        let stream = Stream::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = stream.handle();
        Ok(Self { stream, handle })
    }

    /// The next signal; may be given up while waiting without losing one.
    pub async fn next(&mut self) -> Signal {
        match self.stream.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(SIGINT) => Signal::Stop("SIGINT"),
            Some(_) => Signal::Stop("SIGTERM"),
            // Closed by nobody but drop.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

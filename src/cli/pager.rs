//! Passes output that is longer than the screen to a pager.

use std::env;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;

/// Output that may be longer than the screen. It is held back until it is; then a pager shows it.
pub(super) struct PagedOutput {
    /// Rows of the screen; `None` if the output goes to stdout directly.
    rows: Option<usize>,
    held: Vec<u8>,
    pager: Option<RunningPager>,
}

struct RunningPager {
    program: Child,
    /// Present until the drop.
    input: Option<ChildStdin>,
}

impl PagedOutput {
    /// Returns an output. `rows` are those of the terminal; `None` starts no pager.
    pub(super) fn new(rows: Option<u16>) -> Self {
        Self {
            rows: rows.map(usize::from),
            held: Vec::new(),
            pager: None,
        }
    }

    /// Writes what was held back, and waits until the pager is closed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.release()?;
        self.flush()
    }

    fn release(&mut self) -> io::Result<()> {
        self.rows = None;
        let held = std::mem::take(&mut self.held);
        self.write_all(&held)
    }
}

impl Write for PagedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(input) = self.pager.as_mut().and_then(|pager| pager.input.as_mut()) {
            return input.write(bytes);
        }
        let Some(rows) = self.rows else {
            return io::stdout().lock().write(bytes);
        };
        self.held.extend_from_slice(bytes);
        let lines = self.held.split(|byte| *byte == b'\n').count();
        // The prompt of the shell needs a row, too.
        if lines > rows {
            self.pager = RunningPager::start().ok();
            self.release()?;
        }
        Ok(bytes.len())
    }

    /// Output that is held back stays so: it may still become longer than the screen.
    fn flush(&mut self) -> io::Result<()> {
        match self.pager.as_mut().and_then(|pager| pager.input.as_mut()) {
            Some(input) => input.flush(),
            None => io::stdout().flush(),
        }
    }
}

impl RunningPager {
    fn start() -> io::Result<Self> {
        let mut program = pager().stdin(Stdio::piped()).spawn()?;
        // Ctrl-C is for the pager. If it ended this process, the shell and the pager would read
        // the same keys.
        signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
        let input = program.stdin.take();
        Ok(Self { program, input })
    }
}

impl Drop for RunningPager {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended = self.program.wait();
    }
}

/// Returns the pager that `PAGER` names, or less. Through sudo it is less without commands, since
/// another program would run as root.
fn pager() -> Command {
    let named = env::var("PAGER")
        .ok()
        .filter(|pager| !pager.trim().is_empty());
    let mut pager = match named {
        Some(named) if env::var_os("SUDO_UID").is_none() => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &named]);
            shell
        }
        _ => {
            let mut less = Command::new("less");
            less.arg("-FRX");
            less
        }
    };
    pager.env("LESSSECURE", "1");
    pager
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_held_back_until_it_is_longer_than_the_screen() {
        let mut output = PagedOutput::new(Some(3));
        output.write_all(b"one\ntwo\n").expect("held");
        assert_eq!(output.held, b"one\ntwo\n");
        assert!(output.pager.is_none());
        output.flush().expect("flushed");
        assert!(!output.held.is_empty(), "a flush releases nothing");
    }
}

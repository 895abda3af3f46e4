//! Redraws a text on the terminal until a key ends it.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::daemon::CommandError;

/// Interval between two drawings.
const EVERY: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// Ctrl-C and Escape, as a terminal sends them.
const INTERRUPT: u8 = 3;
const ESCAPE: u8 = 27;

/// Clears the screen and moves the cursor to its top.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// The terminal without line editing, so that a single key is read. Dropping it restores the
/// terminal.
struct KeyInput(Termios);

impl KeyInput {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        // Ctrl-C is read as a key too, since a signal would leave the terminal as it is now.
        keys.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &keys)?;
        Ok(Self(before))
    }

    /// Returns true if the input ends, or a key that ends the watch is pressed, before the next
    /// drawing.
    fn ends() -> io::Result<bool> {
        let stdin = io::stdin();
        let mut input = [PollFd::new(&stdin, PollFlags::IN)];
        if poll(&mut input, Some(&EVERY))? == 0 {
            return Ok(false);
        }
        let mut key = [0];
        let read = stdin.lock().read(&mut key)?;
        Ok(read == 0 || matches!(key[0], b'q' | b'Q' | INTERRUPT | ESCAPE))
    }
}

impl Drop for KeyInput {
    fn drop(&mut self) {
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Redraws the text until q, Escape or Ctrl-C is pressed.
pub(super) fn watch(
    mut draw: impl FnMut() -> Result<String, CommandError>,
) -> Result<(), CommandError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let why = "--watch requires a terminal; without one, run the command repeatedly";
        return Err(CommandError::Settings(why.to_owned()));
    }
    let failed = |error: io::Error| CommandError::System(format!("the terminal: {error}"));
    let _keys = KeyInput::begin().map_err(failed)?;
    loop {
        let text = draw()?;
        let mut out = anstream::stdout();
        write!(out, "{CLEAR}{text}\nPress q to quit.\n").map_err(failed)?;
        out.flush().map_err(failed)?;
        if KeyInput::ends().map_err(failed)? {
            return Ok(());
        }
    }
}

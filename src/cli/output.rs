//! Writes the output of commands to stdout and stderr.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::daemon::CommandError;

/// Longest path that is shown, in characters.
const PATH_SHOWN: usize = 300;

/// Writes a line to stdout.
pub(super) fn say(text: &str) -> Result<(), CommandError> {
    written(writeln!(anstream::stdout(), "{text}"))
}

/// Writes bytes to stdout unchanged.
pub(super) fn print(bytes: &[u8]) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// Writes JSON to stdout as it is serialized, so that thousands of servers need no second copy in
/// memory.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), CommandError> {
    let stdout = io::stdout().lock();
    let to_terminal = stdout.is_terminal();
    let mut out = SafeJson::new(io::BufWriter::new(stdout), to_terminal);
    let json = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    written(json.and_then(|()| writeln!(out)).and_then(|()| out.flush()))
}

/// Ignores a closed pipe, since a reader such as `head` may exit. Every other error is returned.
pub(super) fn written(result: io::Result<()>) -> Result<(), CommandError> {
    match result {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::System(format!(
            "the output can't be written: {why}; redirect it elsewhere"
        ))),
        _ => Ok(()),
    }
}

/// Writes a note to stderr.
pub(super) fn note(text: &str) {
    let _closed = writeln!(anstream::stderr(), "{text}");
}

/// Returns the name of a server or snapshot, printable and shortened.
pub(super) fn printable_name(name: &str) -> String {
    printable(name, NAME_SHOWN)
}

/// Returns a path, printable and shortened.
pub(super) fn printable_path(path: &Path) -> String {
    printable(&path.display().to_string(), PATH_SHOWN)
}

/// A JSON writer that escapes DEL and U+0080 to U+009F for a terminal. JSON allows these control
/// characters in strings, but terminals interpret them as commands. They occur only in strings, so
/// the parsed JSON stays the same. Without `escape` it changes nothing.
pub(super) struct SafeJson<W> {
    to: W,
    escape: bool,
    /// True if the first byte of U+0080 to U+00BF has been received but not yet written.
    begun: bool,
}

/// The first UTF-8 byte of U+0080 to U+00BF.
const LATIN: u8 = 0xC2;

impl<W: Write> SafeJson<W> {
    pub(super) fn new(to: W, escape: bool) -> Self {
        Self {
            to,
            escape,
            begun: false,
        }
    }

    pub(super) fn into_inner(self) -> W {
        self.to
    }
}

impl<W: Write> Write for SafeJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escape {
            return self.to.write(bytes);
        }
        for &byte in bytes {
            match (std::mem::take(&mut self.begun), byte) {
                (true, 0x80..=0x9F) | (false, 0x7F) => write!(self.to, "\\u{byte:04x}")?,
                (true, _) => self.to.write_all(&[LATIN, byte])?,
                (false, LATIN) => self.begun = true,
                (false, _) => self.to.write_all(&[byte])?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_a_terminal_has_no_control_characters_and_parses_to_the_same_value() {
        let text = "a\u{80}\u{85}\u{9b}31m\u{9f}\u{7f}\u{a0}\u{c2}ü\u{2c2}\u{1b}z";
        let written = |escape| {
            let mut out = Vec::new();
            let mut json = SafeJson::new(&mut out, escape);
            serde_json::to_writer_pretty(&mut json, &[text]).expect("written");
            String::from_utf8(out).expect("text")
        };
        let (raw, shown) = (written(false), written(true));
        assert!(raw.contains('\u{9b}'), "a pipe receives the text unchanged");
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(steers), "{shown:?}");
        assert!(shown.contains("\\u0085\\u009b31m\\u009f\\u007f\u{a0}"));
        let read: [String; 1] = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, [text]);
    }
}

//! What commands write: to stdout, which may be full, and beside it.

use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::core::printable::printable;
use crate::daemon::Refusal;

/// As much of a path is shown.
const PATH_SHOWN: usize = 300;

/// Writes a line to stdout.
pub(super) fn say(text: &str) -> Result<(), Refusal> {
    written(writeln!(anstream::stdout(), "{text}"))
}

/// Writes to stdout what may go to a file as it is.
pub(super) fn print(bytes: &[u8]) -> Result<(), Refusal> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// Writes JSON to stdout, straight: that of thousands of servers needs no second place in memory.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Refusal> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let json = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    written(json.and_then(|()| writeln!(out)).and_then(|()| out.flush()))
}

/// That a reader such as `head` went away is no error; that a disk is full is.
pub(super) fn written(result: io::Result<()>) -> Result<(), Refusal> {
    match result {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(Refusal::System(format!(
            "the output can't be written: {why}; send it elsewhere"
        ))),
        _ => Ok(()),
    }
}

/// Says something beside the output.
pub(super) fn note(text: &str) {
    let _closed = writeln!(anstream::stderr(), "{text}");
}

/// A server's or snapshot's name, fit for a terminal.
pub(super) fn printable_name(name: &str) -> String {
    printable(name, crate::status::servers::NAME_SHOWN)
}

/// A path, fit for a terminal.
pub(super) fn printable_path(path: &Path) -> String {
    printable(&path.display().to_string(), PATH_SHOWN)
}

//! The file on another mount that checkpoints are appended to.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;

/// How long a write may take; one that takes longer is treated as failed.
const FILE_LIMIT: Duration = Duration::from_secs(20);

/// Readable by others: nothing in it is secret.
const FILE_MODE: u32 = 0o644;

/// A note, and the task that writes it.
pub(super) type PendingWrite = Option<(String, JoinHandle<io::Result<()>>)>;

/// Appends a note to its file. Only one write runs at a time, so that writes do not pile up on a
/// mount that hangs.
pub(super) async fn write(
    writing: &mut PendingWrite,
    file: &Path,
    note: String,
) -> Result<(), String> {
    let shown = file.display();
    loop {
        let (written, mut task) = writing.take().unwrap_or_else(|| {
            let (file, note) = (file.to_owned(), note.clone());
            let text = note.clone();
            (
                note,
                tokio::task::spawn_blocking(move || append(&file, &text)),
            )
        });
        match tokio::time::timeout(FILE_LIMIT, &mut task).await {
            // An older write, which had hung, has ended.
            Ok(_) if written != note => {}
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(why))) => return Err(format!("{shown}: can't be written: {why}")),
            Ok(Err(broken)) => return Err(format!("{shown}: can't be written: {broken}")),
            Err(_) => {
                *writing = Some((written, task));
                return Err(format!(
                    "{shown}: the disk hasn't answered for {FILE_LIMIT:?}"
                ));
            }
        }
    }
}

/// Appends a note after an empty line and syncs it. A failed write is truncated away.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let mut file = options.mode(FILE_MODE).open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let set_off = match last {
        _ if length == 0 => "",
        [b'\n'] => "\n",
        // A power loss left a partial note.
        _ => "\n\n",
    };
    let written = file
        .write_all(format!("{set_off}{note}").as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // An append-only file can't be truncated. A partial note then remains, and the reader
        // rejects it.
        let _kept = file.set_len(length);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_separated_by_an_empty_line_even_after_a_partial_note() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notes");
        for note in ["a\n", "b\n"] {
            append(&path, note).expect("written");
        }
        let text = || std::fs::read_to_string(&path).expect("read");
        assert_eq!(text(), "a\n\nb\n");
        std::fs::write(&path, "half").expect("written");
        append(&path, "c\n").expect("written");
        assert_eq!(text(), "half\n\nc\n");
    }
}

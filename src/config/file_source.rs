//! The configuration's files: finds the policies, reads texts and parses them as TOML.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::defaults::LARGEST_FILE;
use super::diagnostics::{Diagnostics, Position, Source};
use super::hints;

/// Remedy for a file that this user may not read.
pub(super) const DENIED: &str = "only root and the service's user may read it: run this with sudo";

/// Remedy for a syntax error without a more specific remedy.
const USUAL: &str =
    "write key = value, strings in double quotes, tables as [name] on a line of their own";

/// Why a file or folder can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct Unreadable {
    /// The reason, in words.
    why: String,
    /// True if this user has no permission.
    pub(super) denied: bool,
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self {
            why: error.to_string().to_lowercase(),
            denied: error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
}

impl Unreadable {
    fn of(why: String) -> Self {
        Self { why, denied: false }
    }

    /// Returns the remedy: `usual`, unless permission is denied.
    pub(super) fn remedy<'a>(&self, usual: &'a str) -> &'a str {
        if self.denied { DENIED } else { usual }
    }
}

/// Reads a file's text. Reports a failure, with `remedy` if the file can't be read.
pub(super) fn read(path: &Path, remedy: &str, log: &mut Diagnostics) -> Option<Arc<Source>> {
    let bytes = match bytes(path, LARGEST_FILE) {
        Ok(bytes) => bytes,
        Err(error) => {
            let remedy = error.remedy(remedy);
            log.unread(path, format!("the file can't be read: {error}"), remedy);
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(Arc::new(Source {
            path: path.to_owned(),
            text,
        })),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let source = Source {
                path: path.to_owned(),
                text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            };
            let at = Position {
                source: Arc::new(source),
                span: good..good,
            };
            log.error(&at, "the file is not UTF-8", "save it as UTF-8");
            None
        }
    }
}

/// Reads a regular file of at most `most` bytes.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    // Opening a pipe would block forever.
    if !fs::metadata(path)?.is_file() {
        return Err(Unreadable::of("it is not a regular file".to_owned()));
    }
    let mut content = Vec::new();
    let file = File::open(path)?;
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(Unreadable::of(format!("it is larger than {most} bytes")));
    }
    Ok(content)
}

/// Parses the text as TOML; `None` if its syntax has an error.
pub(super) fn parse<'s>(source: &'s Arc<Source>, log: &mut Diagnostics) -> Option<DeTable<'s>> {
    let (table, whole) = parse_what_can_be(source, log);
    whole.then_some(table)
}

/// Parses as much of the text as is valid TOML. Returns true if that is all of it.
pub(super) fn parse_what_can_be<'s>(
    source: &'s Arc<Source>,
    log: &mut Diagnostics,
) -> (DeTable<'s>, bool) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut line = None;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let before = source.text.get(..span.start).unwrap_or_default();
        // One mistake often gives several errors on its line; the first one is enough.
        if line.replace(before.matches('\n').count()) == line {
            continue;
        }
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let written = source.text[line_start..].lines().next().unwrap_or_default();
        let at = Position {
            source: Arc::clone(source),
            span,
        };
        let message = error.message().to_lowercase();
        let (message, remedy) = if message.contains("duplicate") {
            (message, "keep one of the two".to_owned())
        } else {
            hints::unquoted(written).unwrap_or_else(|| (message, USUAL.to_owned()))
        };
        log.error(&at, format!("not TOML: {message}"), remedy);
    }
    (table.into_inner(), errors.is_empty())
}

/// Lists the policy files of a folder, sorted. Any other file or folder is reported, since it may
/// be meant as a policy; hidden files and `.example` files are skipped.
pub(super) fn policies(folder: &Path, log: &mut Diagnostics) -> Result<Vec<PathBuf>, Unreadable> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        let ending = path.extension().unwrap_or_default();
        if ending == "toml" {
            files.push(path);
        } else if ending == "example" && !path.is_dir() {
            // Skipped without a warning: an example is not meant to be loaded.
        } else if path.is_dir() {
            log.unused(
                &path,
                "a folder within the policies folder is not read",
                "move its policies into the policies folder, or move it elsewhere",
            );
        } else {
            log.unused(
                &path,
                "the file is not read, since its name doesn't end in .toml",
                "rename it to ….toml, or move it elsewhere",
            );
        }
    }
    files.sort();
    Ok(files)
}

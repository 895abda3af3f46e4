//! The files themselves: which there are, their text, and whether it is TOML.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::defaults::LARGEST_FILE;
use super::diagnostics::{Diagnostics, Position, Source};
use super::hints;

/// What to do where this user may not read a file.
pub(super) const DENIED: &str = "it is for root and the service's user: run this with sudo";

/// What to do where the syntax is wrong and no more can be said.
const USUAL: &str =
    "write key = value, strings in double quotes, tables as [name] on a line of their own";

/// Whether a file can't be read for want of the right to.
pub(super) fn is_denied(why: &str) -> bool {
    why.starts_with("permission denied")
}

/// A file's text; what hinders is said, with this remedy where it can't be read.
pub(super) fn read(path: &Path, remedy: &str, log: &mut Diagnostics) -> Option<Arc<Source>> {
    let bytes = match bytes(path, LARGEST_FILE) {
        Ok(bytes) => bytes,
        Err(why) => {
            let remedy = if is_denied(&why) { DENIED } else { remedy };
            log.unread(path, format!("the file can't be read: {why}"), remedy);
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
            log.error(
                &at,
                "the file is not UTF-8",
                "save it in the encoding UTF-8",
            );
            None
        }
    }
}

/// A plain file's content, where it is no larger than `most`.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| error.to_string().to_lowercase();
    // Opening a pipe would wait for ever.
    if !fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(said)?;
    file.take(most + 1)
        .read_to_end(&mut content)
        .map_err(said)?;
    if content.len() as u64 > most {
        return Err(format!("it is larger than {most} bytes"));
    }
    Ok(content)
}

/// The text as TOML, when there is no fault in its syntax.
pub(super) fn parse<'s>(source: &'s Arc<Source>, log: &mut Diagnostics) -> Option<DeTable<'s>> {
    let (table, whole) = parse_what_can_be(source, log);
    whole.then_some(table)
}

/// The text as TOML as far as it can be read, and whether that is all of it.
pub(super) fn parse_what_can_be<'s>(
    source: &'s Arc<Source>,
    log: &mut Diagnostics,
) -> (DeTable<'s>, bool) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut line = None;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let before = source.text.get(..span.start).unwrap_or_default();
        // One slip makes the parser stumble more than once on its line.
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

/// The policy files of a folder, sorted. Whatever else lies there is said, since it may be
/// meant as a policy; hidden files and examples are nobody's business.
pub(super) fn policies(folder: &Path, log: &mut Diagnostics) -> Result<Vec<PathBuf>, String> {
    let said = |error: std::io::Error| error.to_string().to_lowercase();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(said)? {
        let path = entry.map_err(said)?.path();
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
            // Says itself that it is not meant to be read.
        } else if path.is_dir() {
            log.unused(
                &path,
                "a folder within the policies folder is not read",
                "move its policies up beside it, or move it away",
            );
        } else {
            log.unused(
                &path,
                "the file is not read, since its name doesn't end in .toml",
                "rename it to ….toml, or move it away",
            );
        }
    }
    files.sort();
    Ok(files)
}

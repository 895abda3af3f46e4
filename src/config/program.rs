//! A program and its arguments, as a list of strings.

use std::path::Path;

use super::reader::Found;
use super::report::{At, Log};

/// The program under this key, if it can be run.
pub(super) fn program(
    key: &str,
    argv: Vec<Found<String>>,
    at: &At,
    example: &str,
    log: &mut Log,
) -> Option<Vec<String>> {
    let Some(program) = argv.first() else {
        let remedy = format!("write {key} = [{example:?}]");
        log.error(at, format!("{key} is empty"), remedy);
        return None;
    };
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let message = format!("{key} {:?} is not a whole path", program.value);
        log.error(
            &program.at,
            message,
            "write the program's path from / on; no shell looks for it",
        );
        return None;
    }
    if !path.is_file() {
        let message = format!("{key} {} is not there", path.display());
        log.error(&program.at, message, "name a program that is");
        return None;
    }
    Some(argv.into_iter().map(|found| found.value).collect())
}

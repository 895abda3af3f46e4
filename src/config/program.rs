//! A program and its arguments, as a list of strings.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::diagnostics::{Diagnostics, Position};
use super::table_reader::Located;

/// Returns the program under this key if it can be run, else reports why not.
pub(super) fn program(
    key: &str,
    argv: Vec<Located<String>>,
    at: &Position,
    example: &str,
    log: &mut Diagnostics,
) -> Option<Vec<String>> {
    let Some(program) = argv.first() else {
        let remedy = format!("write {key} = [{example:?}]");
        log.error(at, format!("{key} is empty"), remedy);
        return None;
    };
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let message = format!("{key} {:?} is not an absolute path", program.value);
        log.error(
            &program.at,
            message,
            "write the program's full path, from /; no shell searches for it",
        );
        return None;
    }
    if let Some((fault, remedy)) = fault(path) {
        let message = format!("{key} {} {fault}", path.display());
        log.error(&program.at, message, remedy);
        return None;
    }
    Some(argv.into_iter().map(|found| found.value).collect())
}

/// Returns why this file can't be run, and the remedy. A file that this user may not examine is
/// accepted: the unit that runs it may have access.
fn fault(path: &Path) -> Option<(&'static str, String)> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(why) if why.kind() == ErrorKind::PermissionDenied => return None,
        Err(_) => return Some(("does not exist", "name an existing program".to_owned())),
    };
    if found.is_dir() {
        return Some(("is a folder", "name a program in it".to_owned()));
    }
    if !found.is_file() {
        return Some(("is not a program", "name a program".to_owned()));
    }
    let executable = found.permissions().mode() & 0o111 != 0;
    let remedy = || format!("run chmod +x {}", path.display());
    (!executable).then(|| ("is not executable", remedy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_cannot_be_run_is_reported_with_a_remedy() {
        let home = tempfile::tempdir().expect("a folder");
        let (file, program) = (home.path().join("file"), home.path().join("program"));
        for (path, mode) in [(&file, 0o644), (&program, 0o755)] {
            std::fs::write(path, "").expect("written");
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("mode set");
        }
        let told = |path: &Path| fault(path).map(|(fault, remedy)| format!("{fault}: {remedy}"));
        let executable = format!("is not executable: run chmod +x {}", file.display());
        assert_eq!(told(&file), Some(executable));
        assert_eq!(
            told(home.path()).expect("a fault"),
            "is a folder: name a program in it"
        );
        assert_eq!(
            told(Path::new("/dev/null")).expect("a fault"),
            "is not a program: name a program"
        );
        assert!(
            told(&home.path().join("none"))
                .expect("a fault")
                .starts_with("does not exist")
        );
        assert_eq!(told(&program), None);
    }
}

//! Detects configuration files that changed after the service read them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::printable_path;
use crate::config;
use crate::core::sanitize::local;
use crate::status::FleetView;

/// Returns a message if files were changed, added or removed since the service read them. Files
/// that can't be read are skipped.
pub(super) fn changed(view: &FleetView) -> Option<String> {
    let (main, read) = (Path::new(&view.config), view.read?);
    // The service may have been started in another folder, so a relative path can't be resolved
    // here.
    if main.is_relative() {
        return None;
    }
    let folder = config::policies_folder(main);
    let policies = config::policy_files(&folder).ok()?;
    let there: BTreeSet<_> = policies
        .iter()
        .filter_map(|file| file.file_stem())
        .collect();
    let known: BTreeSet<_> = view.servers.iter().map(|s| OsStr::new(&s.file)).collect();
    let came = |file: &PathBuf| file.file_stem().is_some_and(|stem| !known.contains(stem));
    let went = known.difference(&there).map(|stem| {
        let mut name = stem.to_os_string();
        name.push(".toml");
        folder.join(name)
    });
    let mut files: Vec<PathBuf> = (policies.iter())
        .filter(|file| came(file) || is_newer(file, read))
        .cloned()
        .chain(went)
        .collect();
    if is_newer(main, read) {
        files.insert(0, main.to_owned());
    }
    let first = printable_path(files.first()?);
    let (what, verb) = match files.len() {
        1 => (first, "has"),
        2 => (format!("{first} and another file"), "have"),
        n => (format!("{first} and {} other files", n - 1), "have"),
    };
    let when = local(read, &TimeZone::system());
    Some(format!(
        "{what} {verb} changed since the service read the configuration at {when}: run snaprotate check, then systemctl reload snaprotate"
    ))
}

fn is_newer(file: &Path, read: Timestamp) -> bool {
    let modified = file.metadata().and_then(|data| data.modified());
    modified.is_ok_and(|at| Timestamp::try_from(at).is_ok_and(|at| at > read))
}

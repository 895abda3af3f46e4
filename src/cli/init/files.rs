//! Creates new files, all or none. They are validated in a temporary folder, then put in place
//! without replacing any file.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::printable_path;
use crate::config::Problems;
use crate::daemon::CommandError;

/// The service runs as a dynamic user, so all users must be able to read the files. They hold no
/// secrets.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// A file to be written.
pub(super) struct NewFile {
    pub(super) to: PathBuf,
    pub(super) text: String,
}

impl NewFile {
    /// Returns true if something exists at the path, even a broken link.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.to).is_ok()
    }
}

/// A temporary folder for validating the files. Removed on drop.
pub(super) struct Staging(PathBuf);

impl Staging {
    pub(super) fn new() -> Result<Self, CommandError> {
        let temporary = std::env::temp_dir();
        let make = |nth: u32| {
            let name = format!("snaprotate-init-{}-{nth}", std::process::id());
            let path = temporary.join(name);
            DirBuilder::new().mode(0o700).create(&path).map(|()| path)
        };
        let mut last = None;
        // A killed process with the same process id may have left a folder behind.
        for nth in 0..100 {
            match make(nth) {
                Ok(path) => return Ok(Self(path)),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => last = Some(why),
                Err(why) => {
                    last = Some(why);
                    break;
                }
            }
        }
        let why = last.map_or_else(String::new, |why| why.to_string());
        Err(CommandError::System(format!(
            "no folder can be created in {}: {why}",
            printable_path(&temporary)
        )))
    }

    pub(super) fn put(&self, name: &str, text: &str) -> Result<PathBuf, CommandError> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(|why| unwritten(&path, &why))?;
        Ok(path)
    }

    /// Replaces paths in this folder with the files' final paths.
    pub(super) fn as_meant(&self, problems: Problems, main: &Path, folder: &Path) -> Problems {
        let meant = problems.0.into_iter().map(|mut problem| {
            if let Ok(name) = problem.file.strip_prefix(&self.0) {
                problem.file = if name == Path::new("snaprotate.toml") {
                    main.to_owned()
                } else {
                    folder.join(name)
                };
            }
            problem
        });
        Problems(meant.collect())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The files and folders created so far. Removed on drop unless `kept` is set.
#[derive(Default)]
struct CreatedFiles {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    kept: bool,
}

impl Drop for CreatedFiles {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in &self.files {
            let _gone = fs::remove_file(file);
        }
        // Removes only empty folders.
        for folder in self.folders.iter().rev() {
            let _gone = fs::remove_dir(folder);
        }
    }
}

/// Puts all files in place, or none.
pub(super) fn place(new: &[NewFile]) -> Result<(), CommandError> {
    let mut made = CreatedFiles::default();
    for file in new {
        let folder = file.to.parent().unwrap_or(Path::new(""));
        folders(folder, &mut made).map_err(|why| unwritten(folder, &why))?;
        whole(file, folder, &mut made).map_err(|why| unwritten(&file.to, &why))?;
    }
    made.kept = true;
    Ok(())
}

fn folders(folder: &Path, made: &mut CreatedFiles) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        folders(above, made)?;
    }
    DirBuilder::new().mode(FOLDER_MODE).create(folder)?;
    made.folders.push(folder.to_owned());
    // The umask may have removed permissions.
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
}

/// Writes the file beside its final path, then links it, since a link never replaces a file.
fn whole(file: &NewFile, folder: &Path, made: &mut CreatedFiles) -> io::Result<()> {
    let beside = folder.join(format!(".snaprotate-init-{}", std::process::id()));
    let mut open = OpenOptions::new();
    let mut written = open
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&beside)?;
    let linked = written
        .write_all(file.text.as_bytes())
        .and_then(|()| written.set_permissions(Permissions::from_mode(FILE_MODE)))
        .and_then(|()| written.sync_all())
        .and_then(|()| fs::hard_link(&beside, &file.to));
    let removed = fs::remove_file(&beside);
    linked?;
    made.files.push(file.to.clone());
    removed
}

fn unwritten(path: &Path, why: &io::Error) -> CommandError {
    CommandError::System(format!(
        "{} can't be written: {why}; nothing was written",
        printable_path(path)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(to: PathBuf) -> NewFile {
        NewFile {
            to,
            text: "text\n".to_owned(),
        }
    }

    #[test]
    fn files_and_folders_created_so_far_are_removed_if_a_later_file_cannot_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("taken");
        fs::write(&taken, "mine").expect("written");
        let set = [
            new(folder.path().join("a/b/one.toml")),
            new(folder.path().join("two.toml")),
            new(taken.clone()),
        ];
        let refusal = place(&set).expect_err("refused").to_string();
        assert!(refusal.contains("taken can't be written"), "{refusal}");
        let left: Vec<_> = fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["taken"]);
        assert_eq!(fs::read_to_string(taken).expect("read"), "mine");
    }

    #[test]
    fn files_are_complete_and_readable_by_the_service_and_no_temporary_file_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("policies.d/web.toml");
        place(&[new(to.clone())]).expect("written");
        assert_eq!(fs::read_to_string(&to).expect("read"), "text\n");
        let mode = fs::metadata(&to).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
        let policies = folder.path().join("policies.d");
        let mode = fs::metadata(&policies).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, FOLDER_MODE);
        let beside = fs::read_dir(policies).expect("listed");
        assert_eq!(beside.count(), 1);
    }

    #[test]
    fn the_staging_folder_is_removed_and_problems_name_the_final_paths() {
        let staging = Staging::new().expect("a folder");
        let path = staging.0.clone();
        staging
            .put("snaprotate.toml", "[api]\nx = 1\n")
            .expect("written");
        let policy = staging.put("web.toml", "server = 1\n").expect("written");
        let main = path.join("snaprotate.toml");
        let loaded =
            crate::config::load_files(&main, &[policy], &crate::config::Environment::default());
        let problems = loaded.expect_err("refused");
        let meant = staging.as_meant(problems, Path::new("/etc/m.toml"), Path::new("/etc/p"));
        let said = meant.to_string();
        assert!(said.contains("/etc/m.toml:2:"), "{said}");
        assert!(said.contains("/etc/p/web.toml:"), "{said}");
        drop(staging);
        assert!(!path.exists());
    }
}

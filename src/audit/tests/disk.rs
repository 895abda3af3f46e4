//! The real disk: the effects of its calls on files, and the files' owners.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};

use super::*;
use crate::audit::disk::{Disk as _, RealDisk};
use crate::audit::{Trail, verify};

#[test]
fn a_missing_file_or_folder_cannot_be_read_written_synced_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (gone, other) = (dir.path().join("gone"), dir.path().join("other"));
    let mut disk = RealDisk::default();
    let answers = [
        ("list", disk.list(&gone).map(drop)),
        ("len", disk.len(&gone).map(drop)),
        ("read", disk.read(&gone, 0).map(drop)),
        ("append", disk.append(&gone, b"x")),
        ("overwrite", disk.overwrite(&gone, 0, b"x")),
        ("sync", disk.sync(&gone)),
        ("truncate", disk.truncate(&gone, 0)),
        ("rename", disk.rename(&gone, &other)),
        ("remove", disk.remove(&gone)),
        ("sync_dir", disk.sync_dir(&gone)),
    ];
    for (call, answer) in answers {
        let kind = answer.map_err(|why| why.kind());
        assert_eq!(kind, Err(ErrorKind::NotFound), "{call}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_file_is_truncated_and_overwritten_at_the_given_offset_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut disk = RealDisk::default();
    disk.create(&path).unwrap();
    disk.append(&path, b"one, two").unwrap();
    disk.truncate(&path, 3).unwrap();
    disk.append(&path, b".").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one.");
    disk.overwrite(&path, 1, b"ff").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"off.");
    disk.remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn an_append_to_a_file_that_was_replaced_while_open_reaches_the_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("file"), dir.path().join("other"));
    let mut disk = RealDisk::default();
    disk.create(&path).unwrap();
    disk.append(&path, b"old").unwrap();
    fs::write(&other, "new").unwrap();
    fs::rename(&other, &path).unwrap();
    disk.append(&path, b" and on").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new and on");
}

#[test]
fn files_and_folders_created_by_root_belong_to_the_owner_of_their_parent_folder() {
    const SERVICE: u32 = 65534;
    const OTHER: u32 = 1;
    let dir = tempfile::tempdir().unwrap();
    let (theirs, ours) = (dir.path().join("service"), dir.path().join("root"));
    for (folder, owner) in [(&theirs, SERVICE), (&ours, 0)] {
        fs::create_dir(folder).unwrap();
        if chown(folder, Some(owner), Some(SERVICE)).is_err() {
            let skips = std::env::var_os("CI").is_none();
            assert!(skips, "only root can give files away");
            let _told = writeln!(std::io::stderr(), "SKIPPED: only root can give files away");
            return;
        }
    }
    let mut disk = RealDisk::default();
    let owner = |path: &Path| {
        let of = fs::metadata(path).unwrap();
        (of.uid(), of.gid())
    };
    let (folder, file) = (theirs.join("folder"), theirs.join("file"));
    disk.make_dir(&folder).unwrap();
    disk.create(&file).unwrap();
    assert_eq!(owner(&folder), (SERVICE, SERVICE));
    assert_eq!(owner(&file), (SERVICE, SERVICE));

    // A file that root creates in its own folder is root's; another user's file is replaced.
    let (mine, before) = (ours.join("file"), theirs.join("before"));
    disk.create(&mine).unwrap();
    let (uid, gid) = owner(dir.path());
    assert_eq!(owner(&mine), (uid, gid));
    fs::write(&before, "").unwrap();
    chown(&before, Some(OTHER), Some(OTHER)).unwrap();
    disk.create(&before).unwrap();
    assert_eq!(owner(&before), (SERVICE, SERVICE));
}

#[test]
fn i6_an_unreadable_head_is_not_treated_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("log"), dir.path().join("state"));
    // A folder can be opened, but not read.
    fs::create_dir_all(state.join("head")).unwrap();
    let opened = Trail::open(&logs, &state, "a", at(NOVEMBER), GRACE).map(drop);
    fs::create_dir_all(&logs).unwrap();
    for error in [opened, verify(&logs, &state).map(drop)] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("/state/head: can't read"), "{error}");
    }
}

#[test]
fn only_a_permission_error_on_the_trail_suggests_sudo() {
    let told = |kind: ErrorKind| TrailError::disk("read", &november())(kind.into()).to_string();
    let denied = told(ErrorKind::PermissionDenied);
    assert!(denied.contains("audit-2026-11.jsonl"), "{denied}");
    assert!(denied.ends_with("run this with sudo"), "{denied}");
    assert!(!told(ErrorKind::NotFound).contains("sudo"));
}

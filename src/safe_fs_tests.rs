use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use super::*;

const SERVICE: u32 = 65534;

/// Returns a folder of the service's user beside a file that only root may read; `None` if the
/// process does not run as root.
fn scene() -> Option<(tempfile::TempDir, PathBuf, PathBuf)> {
    let home = tempfile::tempdir().expect("a folder");
    let (theirs, secret) = (home.path().join("theirs"), home.path().join("secret"));
    fs::create_dir(&theirs).expect("a folder");
    fs::write(&secret, "secret").expect("written");
    for (path, mode) in [(home.path(), 0o755), (secret.as_path(), 0o600)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
    }
    if chown(&theirs, Some(SERVICE), Some(SERVICE)).is_err() {
        let _told = writeln!(io::stderr(), "SKIPPED: only root can give files away");
        return None;
    }
    Some((home, theirs, secret))
}

#[test]
fn root_acts_as_the_owner_in_another_users_folder_and_is_root_again_afterwards() {
    let Some((home, theirs, secret)) = scene() else {
        return;
    };
    let folder = OpenFolder::open(&theirs).expect("opened");
    let read = || fs::read_to_string(&secret);
    let refused = folder.as_owner(read).expect_err("only root may read it");
    let (why, user) = (refused.to_string(), format!("user {SERVICE}"));
    assert!(why.contains(&user) && why.contains("chown -h"), "{why}");
    assert!(getegid().is_root() && read().is_ok(), "root again");
    let own = OpenFolder::open(home.path()).expect("opened");
    assert!(own.as_owner(read).is_ok(), "root in its own folder");
}

#[test]
fn a_folder_is_usable_even_if_its_owner_cannot_reach_it_from_the_root_folder() {
    let Some((home, theirs, _)) = scene() else {
        return;
    };
    // Like /var/lib/private, around the folder of a dynamic user.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("mode set");
    make_folder(&theirs.join("a/b"), 0o750).expect("made");
    let (folder, name) = (
        OpenFolder::open(&theirs.join("a/b")).expect("opened"),
        "file",
    );
    drop(folder.create(name.as_ref(), 0o640).expect("made"));
    assert_eq!(folder.names().expect("listed"), [name]);
    for path in [
        theirs.join("a"),
        theirs.join("a/b"),
        theirs.join("a/b/file"),
    ] {
        assert_eq!(fs::metadata(&path).expect("there").uid(), SERVICE);
    }
}

#[test]
fn root_follows_a_link_to_a_folder_only_if_root_or_the_folders_owner_created_it() {
    let Some((home, theirs, _)) = scene() else {
        return;
    };
    let link = home.path().join("link");
    symlink(&theirs, &link).expect("linked");
    OpenFolder::open(&link).expect("root's own link");
    std::os::unix::fs::lchown(&link, Some(1), Some(1)).expect("given away");
    let why = OpenFolder::open(&link)
        .expect_err("a third user's link")
        .to_string();
    assert!(why.contains("symbolic link of user 1"), "{why}");
}

//! Files in folders that another user may own: the state folder and the audit folder belong to the
//! service's user, and root works in them too.
//!
//! The owner of a folder can put anything there at any time: a link to `/etc/shadow`, a hard link,
//! a pipe. Three rules therefore hold for each access:
//!
//! - The folder is opened once, and everything in it is reached from its descriptor by a plain
//!   name. The exception is [`find`], which uses the whole path and returns only metadata.
//! - A root process works in the folder as its owner. It can then reach nothing that the owner
//!   could not reach alone. What it creates belongs to the owner from the start, so no `chown` is
//!   needed.
//! - A file is opened without following a link, and only a regular file with one name is accepted.
//!   The check is made on the open descriptor.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::process::{Gid, Uid, getegid, geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// An open folder.
#[derive(Debug)]
pub struct OpenFolder {
    fd: OwnedFd,
    path: PathBuf,
    /// Its owner, if this process runs as root and another user owns the folder.
    owner: Option<FsIdentity>,
}

impl OpenFolder {
    /// Opens a folder. If root opens it and the path itself is a link, root or the folder's owner
    /// must have made that link, as with systemd's link to `/var/lib/private`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())?;
        let found = fstat(&fd)?;
        let mut owner = None;
        if geteuid().is_root() {
            let link = fs::symlink_metadata(path)?;
            if link.is_symlink() && ![0, found.st_uid].contains(&link.uid()) {
                return Err(io::Error::other(format!(
                    "is a symbolic link of user {}, which root does not follow: replace it with the folder itself",
                    link.uid()
                )));
            }
            owner = (found.st_uid != 0).then(|| FsIdentity {
                user: Uid::from_raw(found.st_uid),
                group: Gid::from_raw(found.st_gid),
                groups: vec![Gid::from_raw(found.st_gid)],
            });
        }
        Ok(Self {
            fd,
            path: path.to_owned(),
            owner,
        })
    }

    /// Opens the folder of a file; also returns the file's name in it.
    pub fn of(file: &Path) -> io::Result<(Self, &OsStr)> {
        let name = file.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        Ok((Self::open(above(file))?, name))
    }

    /// Opens a file, never through a link: it must be a regular file with one name.
    pub fn file(&self, name: &OsStr, flags: OFlags, mode: u32) -> io::Result<File> {
        // NONBLOCK: opening a pipe that has no writer must not block.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self.as_owner(|| Ok(openat(&self.fd, name, flags, Mode::from(mode))?));
        let file = File::from(opened.map_err(|why| self.why_not(name, why))?);
        let found = file.metadata()?;
        accept(found.mode(), found.nlink())?;
        Ok(file)
    }

    /// Returns why a file couldn't be opened: a wrong kind of file takes precedence over `why`.
    fn why_not(&self, name: &OsStr, why: io::Error) -> io::Error {
        let found = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let Ok(found) = found else { return why };
        accept(found.st_mode, found.st_nlink).err().unwrap_or(why)
    }

    /// Creates an empty file. An existing file with this name is removed first, and never written
    /// to.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let file = match self.remove(name) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                self.file(name, flags, mode)
            }
        };
        file.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", name.display())))
    }

    /// Removes a file; for a link, the link itself.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.as_owner(|| Ok(unlinkat(&self.fd, name, AtFlags::empty())?))
    }

    /// Renames a file within the folder, replacing an existing one.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.as_owner(|| Ok(renameat(&self.fd, from, &self.fd, to)?))
    }

    /// Returns the names in the folder, in any order, except those that are not UTF-8.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.readable()?)? {
            let name = entry?.file_name().to_owned().into_string();
            names.extend(name.ok().filter(|name| name != "." && name != ".."));
        }
        Ok(names)
    }

    /// Makes the folder's names durable.
    pub fn sync(&self) -> io::Result<()> {
        self.readable()?.sync_all()
    }

    fn readable(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = self.as_owner(|| Ok(openat(&self.fd, ".", flags, Mode::empty())?))?;
        Ok(fd.into())
    }

    /// Runs `work` as the folder's owner if this process runs as root and another user owns the
    /// folder; otherwise as the current user.
    ///
    /// Only this thread, and threads that `work` starts, change their user. Their real and
    /// saved users stay root, so that the owner can neither signal nor trace the process meanwhile.
    pub fn as_owner<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(owner) = &self.owner else {
            return work();
        };
        let before = FsIdentity::of_this_thread()?;
        let done = owner.descend().and_then(|()| work());
        before.ascend()?;
        done.map_err(|why| match why.kind() {
            io::ErrorKind::PermissionDenied => io::Error::other(format!(
                "{why} for user {0}, who owns {1} (root works there as that user): remove the file, or give it to that user with chown -h {0}",
                owner.user.as_raw(),
                self.path.display()
            )),
            _ => why,
        })
    }
}

/// Returns the metadata of a regular file with one name. Needs no descriptor, so that a process
/// that has run out of them can continue to use its open files.
pub fn find(path: &Path) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(path)?;
    accept(found.mode(), found.nlink())?;
    Ok(found)
}

/// Creates a folder and its missing parents. If root creates them, each belongs to the owner of the
/// folder that contains it.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(name) = path.file_name() else {
        return Err(io::ErrorKind::NotFound.into());
    };
    make_folder(above(path), mode)?;
    let above = OpenFolder::open(above(path))?;
    above.as_owner(|| Ok(mkdirat(&above.fd, name, Mode::from(mode))?))
}

fn above(path: &Path) -> &Path {
    let folder = path.parent();
    let named = folder.filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

fn accept(mode: u32, names: u64) -> io::Result<()> {
    match FileType::from_raw_mode(mode) {
        FileType::Symlink => Err(refused("is a symbolic link")),
        FileType::RegularFile if names > 1 => Err(refused("has a second name (a hard link)")),
        FileType::RegularFile => Ok(()),
        _ => Err(refused("is not a regular file")),
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::other(format!(
        "{what}, but only a regular file with one name is used: find out who put it there, and remove it"
    ))
}

/// The user and the groups with which a thread accesses files.
#[derive(Debug)]
struct FsIdentity {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl FsIdentity {
    fn of_this_thread() -> io::Result<Self> {
        Ok(Self {
            user: geteuid(),
            group: getegid(),
            groups: getgroups()?,
        })
    }

    /// Gives up root, changing the user last, since only root may change the groups.
    fn descend(&self) -> io::Result<()> {
        set_thread_groups(&self.groups)?;
        set_thread_res_gid(None, self.group, None)?;
        Ok(set_thread_res_uid(None, self.user, None)?)
    }

    /// Becomes root again, as the saved user id permits.
    fn ascend(&self) -> io::Result<()> {
        set_thread_res_uid(None, self.user, None)?;
        set_thread_res_gid(None, self.group, None)?;
        Ok(set_thread_groups(&self.groups)?)
    }
}

#[cfg(test)]
#[path = "safe_fs_tests.rs"]
mod tests;

//! The head file: the number and hash of the last record, kept apart from the trail's files.

use super::chain::ChainLink;
use super::disk::Disk;
use super::error::TrailError;
use std::io::{self, Read as _};
use std::path::Path;

/// Name of the head file in the state folder.
pub(super) const HEAD: &str = "head";

/// Contents of the head file.
pub(super) enum HeadState {
    Missing,
    Unreadable,
    Is(ChainLink),
}

impl HeadState {
    pub(super) fn read(disk: &dyn Disk, state: &Path) -> Result<Self, TrailError> {
        let path = state.join(HEAD);
        let mut text = Vec::new();
        let read = disk
            .read(&path, 0)
            // Longer than any head; a file of another kind is not read in full.
            .and_then(|file| file.take(256).read_to_end(&mut text));
        match read {
            Ok(_) => Ok(std::str::from_utf8(&text)
                .ok()
                .and_then(ChainLink::parse_head)
                .map_or(Self::Unreadable, Self::Is)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Self::Missing),
            Err(why) => Err(TrailError::disk("read", &path)(why)),
        }
    }

    pub(super) fn link(&self) -> Option<ChainLink> {
        match self {
            Self::Is(link) => Some(*link),
            _ => None,
        }
    }
}

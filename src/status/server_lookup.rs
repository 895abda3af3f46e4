//! Finds the server that a user named, for the command line and the service.

use std::sync::Arc;

use crate::core::policy::Policy;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::snapshot::ServerId;

use super::view::ServerView;

/// Minimum similarity of a suggested name; 1 means equal.
const ALIKE: f64 = 0.8;

/// Maximum number of suggested names.
const NAMED: usize = 3;

/// The names of a server: its id, its policy file's stem, and its name if it has one.
pub trait NamedServer {
    /// Returns all three.
    fn by(&self) -> (ServerId, &str, Option<&str>);

    /// Returns true if the word is one of them.
    fn is_named(&self, word: &str) -> bool {
        let (id, file, name) = self.by();
        file == word || name == Some(word) || id.to_string() == word
    }
}

impl NamedServer for Arc<Policy> {
    fn by(&self) -> (ServerId, &str, Option<&str>) {
        (self.server.clone(), &self.file, self.name.as_deref())
    }
}

impl NamedServer for ServerView {
    fn by(&self) -> (ServerId, &str, Option<&str>) {
        (self.id.clone(), &self.file, Some(&self.name))
    }
}

/// Finds a server by its id, file or name. Returns an error if several match.
pub fn find<'s, S: NamedServer>(servers: &'s [S], server: &str) -> Result<Option<&'s S>, String> {
    let found: Vec<_> = servers.iter().filter(|one| one.is_named(server)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let meant = several.iter().map(|one| {
                let (id, file, _) = one.by();
                format!("{file} (id {id})")
            });
            let meant: Vec<_> = meant.collect();
            Err(format!(
                "several policies match server {}: {}; use an id or a name that only one of them has",
                printable(server, NAME_SHOWN),
                meant.join(", ")
            ))
        }
    }
}

/// Returns the error text for an unknown server.
pub fn unknown<S: NamedServer>(servers: &[S], server: &str) -> String {
    let of = |one: &S| {
        let (_, file, name) = one.by();
        let words = [Some(file.to_owned()), name.map(str::to_owned)];
        words.into_iter().flatten()
    };
    let near = near(servers.iter().flat_map(of), server);
    format!(
        "no policy for server {}: name the server by its id, its name, or its policy file without .toml{near}",
        printable(server, NAME_SHOWN)
    )
}

/// Returns the words most similar to the typed one, as the end of a sentence.
pub fn near(words: impl Iterator<Item = String>, typed: &str) -> String {
    let mut alike: Vec<_> = words
        .map(|word| (strsim::jaro_winkler(&word, typed), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
    alike.dedup_by(|(_, one), (_, other)| one == other);
    let near = alike.into_iter().take(NAMED);
    let near: Vec<_> = near.map(|(_, word)| printable(&word, NAME_SHOWN)).collect();
    if near.is_empty() {
        return String::new();
    }
    format!("; similar: {}", near.join(", "))
}

//! The token: where it is read from, and which characters it may have.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// Maximum size of a secret's file in bytes. A larger file is probably the wrong one.
pub const LONGEST: u64 = 8 * 1024;
/// The text that replaces the token.
const SCRUBBED: &str = "[token]";
/// Minimum length of a token prefix that is scrubbed; a shorter one reveals too little to matter.
const SHORTEST_PART: usize = 4;

/// Where the token is read from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// A file that only its owner can read, or a systemd credential.
    File(PathBuf),
    /// The token itself.
    Given(SecretString),
}

/// A token that can be sent in a header.
#[derive(Debug)]
pub(super) struct Token {
    secret: SecretString,
    /// Marked sensitive, so that its `Debug` output hides it.
    header: HeaderValue,
}

impl Token {
    /// Reads the token. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`.
    pub(super) fn load(source: &TokenSource, credentials: Option<&Path>) -> Result<Self, String> {
        match source {
            TokenSource::File(path) => {
                let secret = secret(path, credentials, "token")?;
                Self::check(&secret, &path.display().to_string())
            }
            TokenSource::Given(secret) => Self::check(secret, "the token"),
        }
    }

    fn check(secret: &SecretString, place: &str) -> Result<Self, String> {
        // Blanks and newlines that an editor or a paste leaves are not part of a token.
        let text = secret.expose_secret().trim_ascii();
        if text.is_empty() {
            return Err(format!("{place}: empty; put the API token there"));
        }
        // A header value is visible ASCII. The message must not name the character, since it is
        // part of a secret.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "{place}: holds characters that no token has; it must hold the API token only, on one line"
            ));
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| format!("{place}: can't be sent in an HTTP header"))?;
        header.set_sensitive(true);
        Ok(Self {
            secret: SecretString::from(text),
            header,
        })
    }

    /// Returns true if both tokens are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.secret.expose_secret() == other.secret.expose_secret()
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Returns `text` without the token, in case an answer repeats it (I13). If the text is cut off
    /// within the token, the prefix at its end is removed too.
    pub(super) fn scrub(&self, text: &str) -> String {
        let secret = self.secret.expose_secret();
        let mut text = text.replace(secret, SCRUBBED);
        let cut = (SHORTEST_PART..secret.len()).rev().find_map(|length| {
            let rest = text.strip_suffix(&secret[..length])?;
            Some(rest.len())
        });
        if let Some(cut) = cut {
            text.truncate(cut);
            text.push_str(SCRUBBED);
        }
        text
    }
}

/// Reads a secret from its file, which others must not be able to read. `what` names it in
/// messages. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`.
pub fn secret(path: &Path, credentials: Option<&Path>, what: &str) -> Result<SecretString, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("{shown}: can't read the {what}: {error}");
    // Checked before the file is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!(
            "{shown}: not a regular file; the {what} must be in one"
        ));
    }
    let file = File::open(path).map_err(failed)?;
    // Taken from the open file, so that the file can't be swapped in between.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if is_open(mode, is_credential(path, credentials)) {
        return Err(format!(
            "{shown}: mode {mode:04o} gives other users access to the {what}; run chmod 600 on it"
        ));
    }
    let mut text = String::new();
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(format!(
            "{shown}: longer than any {what}; is it the right file?"
        ));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(SecretString::from(text))
}

/// Returns true if a secret's file with this mode gives other users any access. systemd gives a
/// credential mode 0440 if the service's user reaches it through an access control list.
pub fn is_open(mode: u32, is_credential: bool) -> bool {
    let spared = if is_credential { 0o040 } else { 0 };
    mode & 0o077 & !spared != 0
}

fn is_credential(path: &Path, credentials: Option<&Path>) -> bool {
    credentials.is_some_and(|folder| {
        folder.is_absolute()
            && path.starts_with(folder)
            && !path.components().any(|part| part == Component::ParentDir)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "tok-5f0c2e";

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn load(path: &Path, credentials: Option<&Path>) -> Result<Token, String> {
        Token::load(&TokenSource::File(path.to_owned()), credentials)
    }

    #[test]
    fn blanks_and_newlines_around_a_token_are_not_part_of_it() {
        for (before, ending) in [
            ("", ""),
            ("", "\n"),
            ("", "\r\n"),
            (" ", " \n\n"),
            ("\n", "\t"),
        ] {
            let (_dir, path) = file(&format!("{before}{SECRET}{ending}"), 0o600);
            let token = load(&path, None).unwrap();
            assert_eq!(token.header().to_str().unwrap(), format!("Bearer {SECRET}"));
        }
    }

    #[test]
    fn content_that_cannot_be_a_token_is_refused_and_not_repeated_in_the_error() {
        for content in [
            "",
            "\n",
            "tok-5f0c2e\nx\n",
            "tok-5f0c2e x",
            "tok-5f0c2eé",
            "tok-5f0c2e\u{0}",
        ] {
            let (_dir, path) = file(content, 0o600);
            let error = load(&path, None).unwrap_err();
            assert!(error.contains("api-token"), "{error}");
            assert!(!error.contains(SECRET), "{error}");
        }
        let (_dir, path) = file(&"x".repeat(9_000), 0o600);
        assert!(
            load(&path, None)
                .unwrap_err()
                .contains("longer than any token")
        );
    }

    #[test]
    fn a_token_file_that_other_users_can_access_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o644, 0o601] {
            let (_dir, path) = file(SECRET, mode);
            assert!(
                load(&path, None).unwrap_err().contains("chmod 600"),
                "{mode:o}"
            );
        }
        for mode in [0o600, 0o400] {
            let (_dir, path) = file(SECRET, mode);
            assert!(load(&path, None).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_systemd_credential_may_be_readable_by_its_group() {
        let (dir, path) = file(SECRET, 0o440);
        assert!(load(&path, Some(dir.path())).is_ok());
        assert!(load(&path, Some(Path::new("/run/credentials/other"))).is_err());
        assert!(load(&path, None).is_err());
        let outside = dir
            .path()
            .join("..")
            .join(dir.path().file_name().unwrap())
            .join("api-token");
        assert!(load(&outside, Some(dir.path())).is_err());
        let (dir, path) = file(SECRET, 0o444);
        assert!(load(&path, Some(dir.path())).is_err());
    }

    #[test]
    fn a_missing_token_file_and_a_folder_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let error = load(&dir.path().join("absent"), None).unwrap_err();
        assert!(
            error.contains("absent") && error.contains("can't read"),
            "{error}"
        );
        assert!(
            load(dir.path(), None)
                .unwrap_err()
                .contains("not a regular file")
        );
    }

    #[test]
    fn i13_the_token_appears_neither_in_debug_output_nor_in_scrubbed_text() {
        let given = TokenSource::Given(SecretString::from(SECRET));
        let token = Token::load(&given, None).unwrap();
        assert!(!format!("{given:?} {token:?}").contains(SECRET));
        for (text, scrubbed) in [
            ("bad token tok-5f0c2e!", "bad token [token]!"),
            ("tok-5f0c2etok-5f0c2e", "[token][token]"),
            ("cut within tok-5f0c", "cut within [token]"),
            ("a tok", "a tok"),
            ("", ""),
        ] {
            assert_eq!(token.scrub(text), scrubbed);
        }
    }
}

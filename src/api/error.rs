//! Failures, by what can be done about them.

use std::error::Error;

use super::printable;

/// As much of a foreign text as an error repeats.
pub(super) const BODY_SHOWN: usize = 300;
/// The longest message; leaves room for the body and for what was asked.
const MESSAGE_SHOWN: usize = 800;

/// What a failed call leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Surely without effect, and may work later: not reached, 409, 423, 429, a redirect.
    Later,
    /// It may have had its effect, or may still have it: time-out, cut, 408, 5xx, an
    /// answer that can't be read.
    Unknown,
    /// The token is refused: 401, or 403 on a listing. Concerns the whole account.
    Account,
    /// 404.
    Missing,
    /// Refused for what was asked: 400, 403 on a mutation, other 4xx.
    Refused,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
    /// One printable line, without the token (I13).
    pub message: String,
    /// The provider's own words, where it gave any; likewise.
    pub said: Option<String>,
}

impl ApiError {
    pub(super) fn new(kind: ErrorKind, status: Option<u16>, message: &str) -> Self {
        Self {
            kind,
            status,
            message: printable(message, MESSAGE_SHOWN),
            said: None,
        }
    }
}

/// What is being asked; a status means different things on different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    List,
    Create,
    Delete,
    Restore,
    Power,
}

/// The kind of a status that is not a success.
pub(crate) fn kind_of(call: Call, status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Account,
        403 if call == Call::List => ErrorKind::Account,
        404 => ErrorKind::Missing,
        409 | 423 | 429 | 300..=399 => ErrorKind::Later,
        408 => ErrorKind::Unknown,
        400..=499 => ErrorKind::Refused,
        _ => ErrorKind::Unknown,
    }
}

/// An error and what caused it, in one line. Links repeated word by word are left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_what_can_be_done() {
        use Call::{Create, Delete, List, Power, Restore};
        use ErrorKind::{Account, Later, Missing, Refused, Unknown};
        for call in [List, Create, Delete, Restore, Power] {
            for (status, kind) in [
                (301, Later),
                (304, Later),
                (400, Refused),
                (401, Account),
                (404, Missing),
                (405, Refused),
                (408, Unknown),
                (409, Later),
                (422, Refused),
                (423, Later),
                (429, Later),
                (500, Unknown),
                (502, Unknown),
                (503, Unknown),
                (504, Unknown),
                (999, Unknown),
                (101, Unknown),
            ] {
                assert_eq!(kind_of(call, status), kind, "{call:?} {status}");
            }
        }
        assert_eq!(kind_of(List, 403), Account);
        for call in [Create, Delete, Restore, Power] {
            assert_eq!(kind_of(call, 403), Refused, "{call:?}");
        }
    }

    #[test]
    fn a_message_is_one_printable_line_however_foreign_the_text() {
        let error = ApiError::new(ErrorKind::Later, None, "a\nb\u{1b}[31m\u{202e}c");
        assert_eq!(error.to_string(), "a\\nb\\u{1b}[31m\\u{202e}c");
        let long = ApiError::new(ErrorKind::Later, None, &"x".repeat(5_000));
        assert!(long.message.chars().count() <= MESSAGE_SHOWN + 1);
    }
}

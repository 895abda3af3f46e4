//! Failed calls, classified by what can be done about them.

use std::error::Error;

use super::printable;

/// Maximum number of characters of the provider's or system's text that an error repeats.
pub(super) const BODY_SHOWN: usize = 300;
/// Maximum number of characters of a message; leaves room for the body and the request.
const MESSAGE_SHOWN: usize = 800;

/// The class of a failed call: what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call certainly had no effect and may succeed later: no connection, 409, 423, 429, a
    /// redirect.
    Later,
    /// The call may have taken effect, or may still do so: a timeout, a cut connection, 408, 5xx,
    /// an answer that can't be read.
    Unknown,
    /// The token is rejected: 401, or 403 on a GET. Affects the whole account.
    Account,
    /// Not found: 404.
    Missing,
    /// The request is rejected: 400, 403 on a mutation, other 4xx.
    Refused,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// One printable line, without the token (I13).
    pub message: String,
    /// The provider's own words, if it gave any, likewise printable and without the token.
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

/// The call that is made; a status means different things for different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    List,
    Create,
    Delete,
    Restore,
    Power,
}

/// Returns the kind of a status that is not a success.
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

/// Returns an error and its causes in one line. A cause is left out if the text already ends with
/// it.
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
    fn each_status_maps_to_its_error_kind() {
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
    fn a_message_is_one_printable_line_of_limited_length_whatever_the_text() {
        let error = ApiError::new(ErrorKind::Later, None, "a\nb\u{1b}[31m\u{202e}c");
        assert_eq!(error.to_string(), "a\\nb\\u{1b}[31m\\u{202e}c");
        let long = ApiError::new(ErrorKind::Later, None, &"x".repeat(5_000));
        assert!(long.message.chars().count() <= MESSAGE_SHOWN + 1);
    }
}

//! What to say and do where the provider's API can't be read: one wording for every command.

use crate::api::proxy::Proxy;
use crate::api::{ApiError, ApiSettings, ErrorKind, TokenSource};
use crate::daemon::CommandError;

/// The error, and what to do.
pub(super) fn unread(error: &ApiError, asked: &ApiSettings) -> CommandError {
    CommandError::Api(format!("{error}; {}", remedy(error, asked)))
}

/// What to do.
pub(super) fn remedy(error: &ApiError, asked: &ApiSettings) -> String {
    let file = match &asked.token {
        TokenSource::File(file) => format!(" ({})", file.display()),
        TokenSource::Given(_) => String::new(),
    };
    match error.kind {
        ErrorKind::Account if error.status == Some(403) => {
            format!(
                "at the provider, give the token of token_file{file} the permission for this, such as snapshots:*"
            )
        }
        ErrorKind::Account => {
            // Half a token that was pasted is likelier than one that ended.
            format!(
                "check that token_file{file} holds the whole token, or make a new one at the provider and write it there"
            )
        }
        ErrorKind::Missing => format!(
            "there is no API like that at {}: correct base_url",
            asked.base_url
        ),
        _ => {
            let proxy = match &asked.proxy {
                Proxy::None => String::new(),
                Proxy::Env => "the proxy that HTTPS_PROXY names (api.proxy), ".to_owned(),
                Proxy::At(url) => format!("the proxy {url} (api.proxy), "),
            };
            format!(
                "try again, or look at {proxy}base_url ({}) and the network",
                asked.base_url
            )
        }
    }
}

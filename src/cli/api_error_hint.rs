//! Error texts and remedies for a provider's API that can't be read, shared by all commands.

use crate::api::proxy::Proxy;
use crate::api::{ApiError, ApiSettings, ErrorKind, TokenSource};
use crate::daemon::CommandError;

/// Returns the error of a failed read, with its remedy.
pub(super) fn unread(error: &ApiError, asked: &ApiSettings) -> CommandError {
    CommandError::Api(format!("{error}; {}", remedy(error, asked)))
}

/// Returns the remedy for `error`.
pub(super) fn remedy(error: &ApiError, asked: &ApiSettings) -> String {
    let file = match &asked.token {
        TokenSource::File(file) => format!(" ({})", file.display()),
        TokenSource::Given(_) => String::new(),
    };
    match error.kind {
        ErrorKind::Account if error.status == Some(403) => {
            format!(
                "at the provider, give the token in token_file{file} the permission for this call, such as snapshots:* or servers:*"
            )
        }
        ErrorKind::Account => {
            // A token that was pasted in part is more likely than one that expired.
            format!(
                "check that token_file{file} holds the whole token, or make a new token at the provider and write it to that file"
            )
        }
        ErrorKind::Missing => format!(
            "there is no such API at {}: correct base_url",
            asked.base_url
        ),
        _ => {
            let proxy = match &asked.proxy {
                Proxy::None => String::new(),
                Proxy::Env => "the proxy that HTTPS_PROXY names (api.proxy), ".to_owned(),
                Proxy::At(url) => format!("the proxy {url} (api.proxy), "),
            };
            format!(
                "try again, or check {proxy}base_url ({}) and the network",
                asked.base_url
            )
        }
    }
}

//! What to say and do where the provider's API can't be read: one wording for every command.

use crate::api::{ApiError, ErrorKind};
use crate::config::Api;
use crate::daemon::Refusal;

/// The error, and what to do.
pub(super) fn unread(error: &ApiError, api: &Api) -> Refusal {
    Refusal::Api(format!("{error}; {}", remedy(error, api)))
}

/// What to do.
pub(super) fn remedy(error: &ApiError, api: &Api) -> String {
    let file = api.token_file.as_ref();
    let file = file.map_or_else(String::new, |file| format!(" ({})", file.display()));
    match error.kind {
        ErrorKind::Account => {
            format!("make a new token at the provider, and write it into token_file{file}")
        }
        ErrorKind::Missing => format!(
            "there is no API like that at {}: correct base_url",
            api.base_url
        ),
        _ => format!(
            "try again, or look at base_url ({}) and the network",
            api.base_url
        ),
    }
}

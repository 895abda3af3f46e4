//! Answers over TCP: compressed for clients that accept gzip, and `304` for those that already
//! have the content.
//!
//! The compression can't reveal a secret (BREACH): an answer has none, and no other site can read
//! its length, since it can't read the answer.

use std::convert::Infallible;
use std::io::Write as _;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Shorter contents fit into one packet as they are.
const WORTH_COMPRESSING: usize = 1024;

/// Bytes of the hash in a tag.
const TAG: usize = 12;

/// The part of a request that concerns the form of its answer.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    /// True if the client accepts gzip.
    pub(super) gzip: bool,
    /// The tags of the contents that the client has.
    known: Vec<HeaderValue>,
}

impl<S: Sync> FromRequestParts<S> for Accepted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let known = headers.get_all(header::IF_NONE_MATCH);
        Self {
            gzip: accepts_gzip(headers),
            known: known.iter().cloned().collect(),
        }
    }

    /// Returns true if the client has the content with this tag. Tags are compared weakly, as RFC
    /// 9110 requires for `If-None-Match`.
    fn has(&self, tag: &HeaderValue) -> bool {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let wanted = tag.to_str().map(strong).unwrap_or_default();
        let mut known = self.known.iter().filter_map(|known| known.to_str().ok());
        known.any(|known| {
            known
                .split(',')
                .any(|one| one.trim() == "*" || strong(one) == wanted)
        })
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let mut codings = accepted.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=");
        let refused = weight.is_some_and(|weight| weight.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The content of an answer, as it is sent. Several answers share the bytes.
#[derive(Clone, Debug)]
pub(super) struct Content {
    kind: &'static str,
    body: Bytes,
    compressed: bool,
    /// Identifies the content; `None` for content that differs at every request.
    tag: Option<HeaderValue>,
}

impl Content {
    /// Encodes content that may stay the same. It takes milliseconds for a large text, so it must
    /// run on a worker.
    pub(super) fn tagged(kind: &'static str, text: impl Into<Bytes>, gzip: bool) -> Self {
        let text = text.into();
        let hash = Sha256::digest(&text);
        let hash = BASE64_STANDARD_NO_PAD.encode(&hash[..TAG]);
        // Weak, since the bytes differ by their coding, and a proxy may change it.
        let tag = HeaderValue::from_str(&format!("W/\"{hash}\"")).ok();
        Self {
            tag,
            ..Self::changing(kind, text, gzip)
        }
    }

    /// Encodes content that differs at every request, on a worker too.
    pub(super) fn changing(kind: &'static str, text: impl Into<Bytes>, gzip: bool) -> Self {
        let text = text.into();
        let small = text.len() < WORTH_COMPRESSING || !gzip;
        let compressed = if small { None } else { compress(&text) };
        Self {
            kind,
            compressed: compressed.is_some(),
            body: compressed.unwrap_or(text),
            tag: None,
        }
    }

    /// Answers with the content, or with `304` if the client has it.
    pub(super) fn answer(&self, asked: &Accepted) -> Response {
        let mut response = match &self.tag {
            Some(tag) if asked.has(tag) => StatusCode::NOT_MODIFIED.into_response(),
            _ => self.body.clone().into_response(),
        };
        let unchanged = response.status() == StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(tag) = &self.tag {
            headers.insert(header::ETAG, tag.clone());
            // The browser keeps the content, and asks each time whether it has changed.
            let kept = HeaderValue::from_static("private, no-cache");
            headers.insert(header::CACHE_CONTROL, kept);
        }
        if !unchanged {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
            if self.compressed {
                let gzip = HeaderValue::from_static("gzip");
                headers.insert(header::CONTENT_ENCODING, gzip);
            }
        }
        response
    }
}

fn compress(text: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory can't fail.
    encoder.write_all(text).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Returns the number of bytes in which a page is sent.
#[cfg(test)]
pub(super) fn sent(html: &str) -> usize {
    Content::tagged("text/html", html.to_owned(), true)
        .body
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Accepted {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Accepted::of(&map)
    }

    #[test]
    fn gzip_is_used_only_if_the_client_accepts_it() {
        for (value, accepted) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br, identity", false),
            ("x-gzip-like", false),
            ("", false),
        ] {
            assert_eq!(
                asked(&[("accept-encoding", value)]).gzip,
                accepted,
                "{value}"
            );
        }
        assert!(!asked(&[]).gzip);
    }

    #[test]
    fn a_known_tag_is_recognised_in_any_of_its_forms() {
        let tag = HeaderValue::from_static("W/\"abc\"");
        for known in ["W/\"abc\"", "\"abc\"", "\"x\", W/\"abc\"", "*"] {
            assert!(asked(&[("if-none-match", known)]).has(&tag), "{known}");
        }
        for other in ["W/\"abd\"", "\"ab\"", ""] {
            assert!(!asked(&[("if-none-match", other)]).has(&tag), "{other}");
        }
        assert!(!asked(&[]).has(&tag));
    }

    #[test]
    fn the_same_text_has_the_same_tag_in_both_codings_and_another_text_another_one() {
        let text = "a line of a page\n".repeat(100);
        let [plain, gzip] =
            [false, true].map(|gzip| Content::tagged("text/html", text.clone(), gzip));
        assert!(plain.tag.is_some());
        assert_eq!(plain.tag, gzip.tag);
        assert_eq!(plain.body.len(), text.len());
        assert!(gzip.body.len() < text.len() / 10);
        let other = Content::tagged("text/html", text.replace("page", "cage"), true);
        assert_ne!(other.tag, gzip.tag);
    }
}

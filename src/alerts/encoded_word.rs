//! Encodes text for email and HTTP headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Encodes text as an ASCII header value (RFC 2047). Printable ASCII text without `=?` is returned
/// unchanged.
pub fn encoded_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.chars().all(plain) && !text.contains("=?") {
        return text.to_owned();
    }
    // An encoded word has at most 75 characters, and no character is split.
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_ascii_whatever_the_text() {
        assert_eq!(encoded_word("ALERT web-01 blocked"), "ALERT web-01 blocked");
        let umlauts = "Größe ".repeat(20);
        let encoded = encoded_word(&umlauts);
        assert!(encoded.is_ascii());
        let mut decoded = String::new();
        for word in encoded.split(' ') {
            assert!(word.len() <= 75, "{word}");
            let inner = word
                .strip_prefix("=?UTF-8?B?")
                .and_then(|w| w.strip_suffix("?="));
            let bytes = STANDARD.decode(inner.expect("a word")).expect("base64");
            decoded.push_str(std::str::from_utf8(&bytes).expect("whole characters"));
        }
        assert_eq!(decoded, umlauts);
        assert!(!encoded_word("a\r\nb").contains('\n'));
    }
}

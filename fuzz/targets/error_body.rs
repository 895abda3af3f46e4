//! Turns the body of an error answer into a line for the log.
//!
//! Input: the status in two bytes, then the body; 0x01 in it stands for the token.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use snaprotate::api::fuzz_entry::AnswerReader;
use snaprotate_fuzz::{TOKEN, assert_line};

static READER: LazyLock<AnswerReader> =
    LazyLock::new(|| AnswerReader::new("https://api.example/api/v1", TOKEN).expect("good"));
/// Length from which a part of the token must not be shown, in bytes.
const PART: usize = 6;

fuzz_target!(|data: &[u8]| {
    let Some((status, text)) = data.split_first_chunk() else {
        return;
    };
    let mut body = Vec::new();
    for byte in text {
        match byte {
            1 => body.extend(TOKEN.bytes()),
            other => body.push(*other),
        }
    }
    let status = 100 + u16::from_be_bytes(*status) % 900;
    let error = READER.refused(status, &body).expect("a status");
    assert_eq!(error.status, Some(status));
    assert_line(&error.message, 801);
    // I13: neither the token nor a part of it, unless the answer has that part by chance.
    let holds = |text: &[u8], length| {
        let mut parts = TOKEN.as_bytes().windows(length);
        parts.any(|part| text.windows(length).any(|shown| shown == part))
    };
    assert!(
        holds(text, PART - 2) || !holds(error.message.as_bytes(), PART),
        "{:?}",
        error.message
    );
});

//! Finds checkpoints in any text: a file of checkpoints, an email, log lines.
//!
//! Lines may be quoted (`> `), be indented, or end in a carriage return. One line may also hold the
//! whole note, with `\n` for its newlines, as in JSON and logs. This does not weaken the check: the
//! signature covers the exact text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signed_note::{Signature, VerifierKey, verify};
use super::{Checkpoint, root_of, size_of};

/// Email header field that announces a base64 body.
const ENCODED: &str = "content-transfer-encoding: base64";

/// A checkpoint in a text, or what looks like one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCheckpoint {
    /// Line number of its origin, counted from 1, or of its signature if the origin is unknown. In
    /// a base64 body, the number of the body's first line.
    pub line: usize,
    /// The checkpoint and the key that signed it, or why it is refused.
    pub checkpoint: Result<(Checkpoint, VerifierKey), String>,
}

/// A normalized line of the text, and its number.
struct TextLine {
    number: usize,
    text: String,
}

/// Returns all checkpoints in a text, in order of appearance; those in base64 bodies come last. A
/// checkpoint is returned as refused if none of these keys signed it, or if its text is not the
/// signed one.
pub fn find(text: &str, keys: &[VerifierKey]) -> Vec<FoundCheckpoint> {
    let lines = lines(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(end) = end_of_note(&lines, at) else {
            at += 1;
            continue;
        };
        found.push(note(&lines, at, end, keys));
        at = end;
    }
    found
}

/// Returns the end of the note that begins at `at`, if one does. A note is an origin, a size and a
/// root hash, followed by an empty line and signatures. Signatures with no such text above them
/// also count as a note.
fn end_of_note(lines: &[TextLine], at: usize) -> Option<usize> {
    let text = |at: usize| lines.get(at).map(|line| line.text.as_str());
    let mut end = at;
    if begins(lines, at) {
        end = at + 3;
        while text(end).is_some_and(|line| !line.is_empty()) && !begins(lines, end) {
            end += 1;
        }
        if text(end) != Some("") {
            return Some(end);
        }
        end += 1;
    } else if text(at).is_none_or(|line| Signature::parse(line).is_none()) {
        return None;
    }
    while text(end).is_some_and(Signature::is_line) {
        end += 1;
    }
    Some(end)
}

/// Returns true if an origin is at `at`, with a size and a root hash below it.
fn begins(lines: &[TextLine], at: usize) -> bool {
    let text = |at: usize| lines.get(at).map(|line| line.text.as_str());
    text(at).is_some_and(|origin| !origin.is_empty())
        && text(at + 1).is_some_and(|size| size_of(size).is_some())
        && text(at + 2).is_some_and(|root| root_of(root).is_some())
}

fn note(lines: &[TextLine], at: usize, end: usize, keys: &[VerifierKey]) -> FoundCheckpoint {
    let refused = |why: &str| FoundCheckpoint {
        line: lines[at].number,
        checkpoint: Err(why.to_owned()),
    };
    if !begins(lines, at) {
        return refused("has a signature, but the text above it is not a checkpoint");
    }
    let of = |line: &&TextLine| !Signature::is_line(&line.text);
    let body: Vec<_> = lines[at..end].iter().take_while(of).collect();
    let signed = &lines[at + body.len()..end];
    let signatures: Option<Vec<_>> = signed.iter().map(|l| Signature::parse(&l.text)).collect();
    let Some(signatures) = signatures.filter(|all| !all.is_empty()) else {
        return refused("has no readable signature");
    };
    let rest: String = body[1..]
        .iter()
        .filter(|line| !line.text.is_empty())
        .map(|line| line.text.clone() + "\n")
        .collect();
    let mut why = None;
    for origin in origins(&body[0].text) {
        let text = format!("{origin}\n{rest}");
        match verify(&text, &signatures, keys) {
            Ok(key) => {
                let Some(checkpoint) = Checkpoint::parse(&text) else {
                    break;
                };
                return FoundCheckpoint {
                    line: lines[at].number,
                    checkpoint: Ok((checkpoint, key.clone())),
                };
            }
            Err(error) => why = why.or(Some(error)),
        }
    }
    refused(why.as_deref().unwrap_or("is not a checkpoint"))
}

/// Returns the possible origins in a line: the whole line, and its last word, as in a log line.
fn origins(line: &str) -> impl Iterator<Item = &str> {
    let end = line
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '='))
        .next();
    [Some(line), end.filter(|end| *end != line)]
        .into_iter()
        .flatten()
}

fn lines(text: &str) -> Vec<TextLine> {
    let mut lines = Vec::new();
    let encoded = text.to_ascii_lowercase().contains(ENCODED);
    let (mut run, mut begun) = (String::new(), 0);
    let mut decoded = Vec::new();
    let mut decode = |run: &mut String, begun: usize| {
        let bytes = STANDARD.decode(std::mem::take(run)).ok();
        if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
            decoded.push((begun, text));
        }
    };
    for (nth, line) in text.lines().enumerate() {
        if encoded {
            let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            if !line.is_empty() && line.bytes().all(word) {
                begun = if run.is_empty() { nth + 1 } else { begun };
                run.push_str(line);
            } else {
                decode(&mut run, begun);
            }
        }
        push(&mut lines, nth + 1, line);
    }
    decode(&mut run, begun);
    for (begun, text) in decoded {
        push(&mut lines, begun, "");
        for line in text.lines() {
            push(&mut lines, begun, line);
        }
    }
    lines
}

/// Adds a line, or the lines that it holds in escaped form.
fn push(lines: &mut Vec<TextLine>, number: usize, line: &str) {
    let whole = if line.contains("\\n") {
        line.replace("\\n", "\n")
            .replace("\\u2014", "\u{2014}")
            .replace("\\/", "/")
    } else {
        line.to_owned()
    };
    for part in whole.split('\n') {
        let text = part.trim_start_matches([' ', '\t', '>']).trim_end();
        lines.push(TextLine {
            number,
            text: text.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SignerKey, TrailPosition};
    use super::*;
    use crate::audit::chain::Hash;

    fn signed(key: &SignerKey, seq: u64) -> String {
        let mark = TrailPosition {
            seq,
            file: String::new(),
            hash: Hash::of(&seq.to_be_bytes()),
        };
        let time = jiff::Timestamp::UNIX_EPOCH;
        key.sign(&Checkpoint::new("snaprotate/h", &mark, time).text())
    }

    #[test]
    fn notes_are_found_in_emails_logs_and_json_even_if_one_text_holds_several() {
        let (key, _) = SignerKey::generate("snaprotate/h").expect("a key");
        let keys = [key.verifier().clone()];
        let note = signed(&key, 12);
        let set_in = |before: &str, after: &str| {
            let lines = note.lines().map(|line| [before, line, after].concat());
            lines.collect::<Vec<_>>().concat()
        };
        let json = serde_json::json!({ "checkpoint": note }).to_string();
        let body = STANDARD.encode(format!("Hello,\n\n{note}").replace('\n', "\r\n"));
        let folded: Vec<_> = body
            .as_bytes()
            .chunks(76)
            .map(String::from_utf8_lossy)
            .collect();
        for (what, text) in [
            ("alone", note.clone()),
            (
                "in an email",
                format!("Dear admin,\nplease keep:\n\n{note}\n— Anna\n"),
            ),
            ("directly below a line", format!("keep this:\n{note}")),
            ("quoted", set_in("> ", "\r\n")),
            ("indented", set_in("    ", "\n")),
            (
                "in a log line",
                format!("INFO witnessed checkpoint={note:?} record=12\n"),
            ),
            ("in JSON", json.clone()),
            (
                "in ASCII JSON",
                json.replace('\u{2014}', "\\u2014").replace('/', "\\/"),
            ),
            (
                "base64-encoded in an email",
                format!(
                    "Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                    folded.join("\r\n")
                ),
            ),
        ] {
            let found = find(&text, &keys);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            let (checkpoint, _) = found[0].checkpoint.as_ref().expect(what);
            assert_eq!(
                (checkpoint.record, checkpoint.origin.as_str()),
                (12, "snaprotate/h")
            );
        }
        let many: String = [3, 4, 5].map(|seq| signed(&key, seq) + "\n").concat();
        let found = find(&many, &keys).into_iter();
        let records: Vec<_> = found
            .map(|f| f.checkpoint.expect("good").0.record)
            .collect();
        assert_eq!(records, [3, 4, 5]);
        assert_eq!(find("Nothing — or little — to see.\n\n— Anna\n", &keys), []);
    }

    #[test]
    fn a_note_is_never_accepted_if_a_flipped_bit_changed_its_text() {
        let (key, _) = SignerKey::generate("snaprotate/h").expect("a key");
        let keys = [key.verifier().clone()];
        let note = signed(&key, 1234);
        for place in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                for found in find(&text, &keys) {
                    let Ok((checkpoint, _)) = found.checkpoint else {
                        continue;
                    };
                    // A newline that was replaced by a blank or removed is restored; the text is
                    // the same.
                    assert_eq!(checkpoint.record, 1234, "{place} {bit}: {text}");
                    assert_eq!(key.sign(&checkpoint.text()), note, "{place} {bit}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_note_signed_by_another_key_or_without_a_signature_is_refused() {
        let (key, _) = SignerKey::generate("snaprotate/h").expect("a key");
        let (other, _) = SignerKey::generate("snaprotate/h").expect("a key");
        let note = signed(&other, 7);
        let why = |text: &str| {
            let found = find(text, &[key.verifier().clone()]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            found[0].checkpoint.clone().expect_err("refused")
        };
        assert!(why(&note).contains("not a known key"));
        let (text, line) = note.split_once("\n\n").expect("two parts");
        assert!(why(text).contains("no readable signature"));
        assert!(why(line).contains("not a checkpoint"));
        assert!(why(&note[..note.len() - 7]).contains("no readable signature"));
    }
}

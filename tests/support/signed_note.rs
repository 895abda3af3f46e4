//! A reader of checkpoints that shares no code with the program. It is written from the
//! specifications (c2sp.org/signed-note and c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// A key as the specification defines it: name, id and public key.
pub struct Key {
    pub name: String,
    pub id: [u8; 4],
    pub public: Vec<u8>,
}

/// Returns the parts of `name+id+base64(0x01 || 32 bytes)`.
pub fn key_parts(text: &str) -> (String, String, Vec<u8>) {
    let parts: Vec<_> = text.trim().splitn(3, '+').collect();
    let bytes = STANDARD.decode(parts[2]).expect("base64");
    assert_eq!((bytes[0], bytes.len()), (1, 33), "Ed25519");
    (
        parts[0].to_owned(),
        parts[1].to_owned(),
        bytes[1..].to_vec(),
    )
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

pub fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let input = [name.as_bytes(), b"\n\x01", public].concat();
    Sha256::digest(input)[..4].try_into().expect("four bytes")
}

pub fn verifier_key(text: &str) -> Key {
    let (name, id, public) = key_parts(text);
    let hash = key_id(&name, &public);
    assert_eq!(hex(&hash), id, "the id of the key");
    Key {
        name,
        id: hash,
        public,
    }
}

/// Returns the text of a note, or `None` if this key did not sign it.
pub fn open_note(note: &str, key: &Key) -> Option<String> {
    let (text, signatures) = note.split_at(note.rfind("\n\n")? + 1);
    let mut good = false;
    for line in signatures
        .strip_prefix('\n')?
        .strip_suffix('\n')?
        .split('\n')
    {
        let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        if name == key.name && bytes[..4] == key.id {
            let public = UnparsedPublicKey::new(&ED25519, &key.public);
            public.verify(text.as_bytes(), &bytes[4..]).ok()?;
            good = true;
        }
    }
    good.then(|| text.to_owned())
}

/// Returns origin, tree size, root hash and extension lines.
pub fn checkpoint(text: &str) -> (String, u64, Vec<u8>, Vec<String>) {
    assert!(text.ends_with('\n'));
    let lines: Vec<_> = text.trim_end_matches('\n').split('\n').collect();
    assert!(lines.iter().all(|line| !line.is_empty()), "{text}");
    let root = STANDARD.decode(lines[2]).expect("base64");
    assert_eq!(root.len(), 32);
    let size = lines[1].parse().expect("a number");
    let rest = lines[3..].iter().map(ToString::to_string).collect();
    (lines[0].to_owned(), size, root, rest)
}

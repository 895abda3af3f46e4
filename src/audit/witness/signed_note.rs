//! Signed notes (C2SP `signed-note`) with Ed25519 keys, as Go's `note` package writes them.
//!
//! ```text
//! the text, which ends in a newline
//!
//! — NAME BASE64(key id, 4 bytes || signature, 64 bytes)
//! ```
//!
//! - The key id is the first four bytes of SHA-256(name || 0x0A || 0x01 || public key).
//! - A verifier key is `name+id+base64(0x01 || public key)`, with the id in hexadecimal digits.
//! - A signer key is `PRIVATE+KEY+name+id+base64(0x01 || seed)`. It appears in no error and in no
//!   `Debug` output.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};

/// Signature type of Ed25519.
const ED25519_TYPE: u8 = 1;
/// Prefix of a signer key.
const PRIVATE: &str = "PRIVATE+KEY+";
/// Prefix of a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// Bound on a note's signatures; the specification requires that at least 16 are accepted.
const MOST_SIGNATURES: usize = 64;

type KeyId = [u8; 4];

/// A key that verifies notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    public: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, public: [u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(name.as_bytes());
        hash.update([b'\n', ED25519_TYPE]);
        hash.update(public);
        let hash: [u8; 32] = hash.finalize().into();
        Self {
            name: name.to_owned(),
            id: [hash[0], hash[1], hash[2], hash[3]],
            public,
        }
    }

    /// Parses `name+id+base64`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, id, public) = fields(text.trim()).ok_or("is not a verifier key")?;
        let key = Self::new(name, public);
        if key.id != id {
            return Err("has a key id that does not match its key");
        }
        Ok(key)
    }

    /// Returns the name in its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name and the id, which together identify the key.
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, hex(self.id))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}", self.short(), STANDARD.encode(key))
    }
}

/// A key that signs notes.
pub struct SignerKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.verifier.short())
    }
}

impl SignerKey {
    /// Generates a new key; returns the key and the text of its file.
    pub fn generate(name: &str) -> Result<(Self, SecretString), &'static str> {
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| "the system's random number generator failed")?;
        let key = Self::from_seed(name, &seed)?;
        let mut private = vec![ED25519_TYPE];
        private.extend_from_slice(&seed);
        let id = hex(key.verifier.id);
        let text = format!("{PRIVATE}{name}+{id}+{}", STANDARD.encode(private));
        Ok((key, SecretString::from(text)))
    }

    /// Parses `PRIVATE+KEY+name+id+base64`; an error repeats no part of it.
    pub fn parse(text: &SecretString) -> Result<Self, &'static str> {
        let text = text.expose_secret().trim();
        let rest = (text.strip_prefix(PRIVATE))
            .ok_or("holds no signer key (PRIVATE+KEY+…); snaprotate audit keygen writes one")?;
        let (name, id, seed) = fields(rest).ok_or("holds a damaged signer key")?;
        let key = Self::from_seed(name, &seed)?;
        if key.verifier.id != id {
            return Err("holds a signer key whose id does not match it");
        }
        Ok(key)
    }

    fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, &'static str> {
        if !is_name(name) {
            return Err("a key's name must have no spaces and no plus signs");
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| "the key can't be used for Ed25519")?;
        let public = pair.public_key().as_ref();
        let public = public
            .try_into()
            .map_err(|_| "the key has the wrong size")?;
        Ok(Self {
            verifier: VerifierKey::new(name, public),
            pair,
        })
    }

    /// Returns the public key.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Returns the signed note of a text, which must end in a newline.
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier.id.to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        let signature = STANDARD.encode(signature);
        format!("{text}\n{DASH}{} {signature}\n", self.verifier.name)
    }
}

/// A signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl Signature {
    /// Returns true for a line that looks like a signature, readable or not.
    pub(super) fn is_line(line: &str) -> bool {
        line.starts_with(DASH)
    }

    /// Parses one line without its newline.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

/// Verifies the signatures of a text. Signatures by unknown keys are ignored; an invalid one by a
/// known key invalidates the note.
pub(super) fn verify<'k>(
    text: &str,
    signatures: &[Signature],
    keys: &'k [VerifierKey],
) -> Result<&'k VerifierKey, String> {
    if signatures.len() > MOST_SIGNATURES {
        return Err("has too many signatures".to_owned());
    }
    let mut by = None;
    for signature in signatures {
        let known = keys
            .iter()
            .find(|key| key.name == signature.name && key.id == signature.id);
        let Some(key) = known else { continue };
        let public = UnparsedPublicKey::new(&ED25519, key.public);
        if public.verify(text.as_bytes(), &signature.bytes).is_err() {
            let key = key.short();
            return Err(format!(
                "has a signature by {key} that does not match its text: one of the two was changed"
            ));
        }
        by = by.or(Some(key));
    }
    by.ok_or_else(|| {
        let first = signatures.first();
        let signer = first.map_or("nobody".to_owned(), |s| format!("{}+{}", s.name, hex(s.id)));
        format!("is signed by {signer}, which is not a known key")
    })
}

/// Returns true for a valid name of a key: no whitespace, control characters or plus signs.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Parses `name+id+base64(type || 32 bytes)`.
fn fields(text: &str) -> Option<(&str, KeyId, [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let digits = id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let id = u32::from_str_radix(id, 16).ok().filter(|_| digits)?;
    let key = STANDARD.decode(key).ok()?;
    let (kind, key) = key.split_first()?;
    let known = is_name(name) && *kind == ED25519_TYPE;
    let key = key.try_into().ok().filter(|_| known)?;
    Some((name, id.to_be_bytes(), key))
}

fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example from the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

    #[test]
    fn the_note_from_the_go_documentation_verifies_and_a_changed_note_does_not() {
        let key = VerifierKey::parse(PETER).expect("a key");
        assert_eq!(key.to_string(), PETER);
        let signature = Signature::parse(LINE).expect("a signature");
        let keys = [key];
        let by = verify(TEXT, std::slice::from_ref(&signature), &keys).expect("good");
        assert_eq!(by.name(), "PeterNeumann");
        let changed = TEXT.replace("think", "thing");
        let why = verify(&changed, std::slice::from_ref(&signature), &keys).expect_err("changed");
        assert!(why.contains("does not match"), "{why}");
        let why = verify(TEXT, &[signature], &[]).expect_err("unknown");
        assert!(why.contains("PeterNeumann+c74f20a3, which is not a known key"));
    }

    #[test]
    fn a_new_key_signs_notes_that_its_verifier_key_accepts_and_debug_output_hides_the_seed() {
        let (key, text) = SignerKey::generate("snaprotate/host").expect("a key");
        let again = SignerKey::parse(&text).expect("the same");
        assert_eq!(again.verifier(), key.verifier());
        let note = again.sign("one\n");
        let (text_part, line) = note.split_once("\n\n").expect("two parts");
        let signature = Signature::parse(line.trim_end()).expect("a signature");
        let keys = [VerifierKey::parse(&key.verifier().to_string()).expect("parsed")];
        let found = verify(&format!("{text_part}\n"), &[signature], &keys);
        assert_eq!(found, Ok(&keys[0]));
        let secret = text.expose_secret().splitn(5, '+').nth(4).expect("a part");
        assert!(!format!("{key:?} {text:?}").contains(secret));
    }

    #[test]
    fn a_damaged_key_is_refused_with_an_error_that_does_not_repeat_the_key() {
        for text in [
            "",
            "PeterNeumann+c74f20a3",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann++74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(VerifierKey::parse(text).is_err(), "{text}");
            let private = SecretString::from(format!("{PRIVATE}{text}"));
            let why = SignerKey::parse(&private).expect_err("damaged");
            assert!(!why.contains("ARpc"), "{why}");
        }
        assert!(SignerKey::generate("two words").is_err());
        assert!(SignerKey::generate("a+b").is_err());
    }
}

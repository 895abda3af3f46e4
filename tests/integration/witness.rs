//! The witness of the trail, by the real binary: the signed checkpoints, their receivers, and the
//! detection of a trail that somebody rewrote together with its head.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use crate::support::signed_note::{checkpoint, hex, key_id, key_parts, open_note, verifier_key};
use crate::support::{Home, Provider, QUICK, stderr, stdout, verified};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const SERVER: u64 = 7;

/// Returns a note of a checkpoint, signed with the program's own key file but without the program.
fn signed_by_hand(key_file: &str, record: u64, hash: &str) -> String {
    let rest = key_file.strip_prefix("PRIVATE+KEY+").expect("a signer key");
    let (name, _, seed) = key_parts(rest);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
    let hash: Vec<u8> = (0..32)
        .map(|nth| u8::from_str_radix(&hash[2 * nth..2 * nth + 2], 16).expect("digits"))
        .collect();
    let text = format!("{name}\n{record}\n{}\n", STANDARD.encode(hash));
    let id = key_id(&name, pair.public_key().as_ref());
    let signature = [&id[..], pair.sign(text.as_bytes()).as_ref()].concat();
    format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
}

/// Returns a provider, a home whose trail is witnessed by a file, and its public key.
pub(super) fn home(more: &str) -> (Provider, Home, String) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 1, "");
    fs::create_dir(home.path("mnt")).expect("a folder");
    let key = keygen(&home, "witness-key");
    let text =
        format!("[audit.witness]\nkey_file = \"witness-key\"\nfile = \"mnt/notes\"\n{more}\n");
    let file = home.path("snaprotate.toml");
    let before = fs::read_to_string(&file).expect("read");
    fs::write(&file, before + &text).expect("written");
    (provider, home, key)
}

pub(super) fn keygen(home: &Home, name: &str) -> String {
    let path = home.path(name);
    let path = path.to_str().expect("text");
    let output = home.run(&["audit", "keygen", "snaprotate/test", "--out", path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
    stdout(&output).trim().to_owned()
}

/// Rotates `times` times, more than a second apart, and returns the notes in the file.
fn runs(home: &Home, times: usize) -> Vec<String> {
    for _ in 0..times {
        let output = home.run(&["once"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        std::thread::sleep(Duration::from_millis(1_050));
    }
    let text = fs::read_to_string(home.path("mnt/notes")).expect("notes");
    // Each note contains one empty line, and one separates two notes.
    let parts: Vec<_> = text.split("\n\n").collect();
    let notes = parts.chunks(2).map(|pair| {
        let note = pair.join("\n\n");
        note.trim_end().to_owned() + "\n"
    });
    notes.collect()
}

pub(super) fn verify(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let output = run_verify(home, args);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

fn run_verify(home: &Home, args: &[&str]) -> Output {
    home.command(&["audit", "verify"])
        .args(args)
        .current_dir(home.path(""))
        .output()
        .expect("it runs")
}

pub(super) fn trail_file(home: &Home) -> PathBuf {
    let mut files = fs::read_dir(home.path("log")).expect("a trail");
    files.next().expect("a file").expect("an entry").path()
}

/// Forges the trail. Anybody with write access to both folders can do this. `edit` receives each
/// record from `from` on, without `prev` and `hash`; the trail ends where it returns `None`.
fn forge(home: &Home, from: usize, edit: impl Fn(&str) -> Option<String>) {
    let file = trail_file(home);
    let text = fs::read_to_string(&file).expect("read");
    let (mut lines, mut last) = (String::new(), (0, "0".repeat(64)));
    for (nth, line) in text.lines().enumerate() {
        let (body, _) = line.split_once(",\"prev\":\"").expect("a record");
        let body = if nth + 1 < from {
            Some(body.to_owned())
        } else {
            edit(body)
        };
        let Some(body) = body else { break };
        let body = format!("{body},\"prev\":\"{}\"", last.1);
        let hash = hex(&Sha256::digest(&body));
        lines.push_str(&body);
        lines.push_str(&[",\"hash\":\"", &hash, "\"}\n"].concat());
        last = (nth + 1, hash);
    }
    fs::write(&file, lines).expect("written");
    fs::write(
        home.path("state/head"),
        format!("{:020} {}\n", last.0, last.1),
    )
    .expect("written");
    // The chain alone does not reveal the forgery.
    verified(home);
}

fn other_run(body: &str) -> String {
    body.replacen("\"run\":\"", "\"run\":\"x", 1)
}

#[test]
fn the_note_reader_of_these_tests_accepts_the_note_from_the_go_documentation() {
    let key = verifier_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let note = format!(
        "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    assert_eq!(open_note(&note, &key).as_deref(), Some(text));
    assert_eq!(open_note(&note.replace("think", "thinj"), &key), None);
}

#[test]
fn another_implementation_reads_the_checkpoint_that_the_program_signed() {
    let (_provider, home, key) = home("");
    let notes = runs(&home, 1);
    assert_eq!(notes.len(), 1, "{notes:?}");
    let text = open_note(&notes[0], &verifier_key(&key)).expect("signed");
    let (origin, size, root, rest) = checkpoint(&text);
    assert_eq!(origin, "snaprotate/test");
    let record = &home.trail()[usize::try_from(size).expect("small") - 1];
    let hash = hex(&root);
    assert_eq!(
        (&record["seq"], &record["hash"]),
        (&Value::from(size), &Value::from(hash))
    );
    assert!(rest[0].starts_with("time 2"), "{rest:?}");
    // The checkpoint covers the record before the one that reports it. Log and file received it.
    let told = &home.events("witnessed")[0];
    assert_eq!(told["record"], size);
    assert_eq!(told["seq"], size + 1);
    let to = told["to"].as_array().expect("a list");
    assert_eq!(to[0], "journal");
    assert!(
        to[1].as_str().is_some_and(|to| to.ends_with("mnt/notes")),
        "{to:?}"
    );
    assert!(
        key.starts_with(told["key"].as_str().expect("text")),
        "{told}"
    );
}

#[test]
fn an_unchanged_trail_verifies_with_the_configured_key_a_given_key_and_a_key_in_a_file() {
    let (_provider, home, key) = home("interval = \"1s\"");
    assert_eq!(runs(&home, 3).len(), 3);
    fs::write(home.path("key.pub"), format!("{key}\n")).expect("written");
    let size = home.events("witnessed").last().expect("a checkpoint")["record"].clone();
    for more in [&[][..], &["--key", &key], &["--key", "key.pub"]] {
        let (code, said) = verify(&home, &[&["--witness", "mnt/notes"], more].concat());
        assert_eq!(code, Some(0), "{said}");
        let wanted = format!("witness: agrees up to record {size}, signed ");
        assert!(
            said.contains(&wanted) && said.contains("3 of 3 checkpoints"),
            "{said}"
        );
    }
    let (code, json) = verify(&home, &["--witness", "mnt/notes", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &json["witness"]["agrees_to"]), (Some(0), &size));
    assert_eq!(json["witness"]["checkpoints"][2]["verdict"], "agrees");
    // Without a key nothing can be checked.
    fs::remove_file(home.path("witness-key")).expect("removed");
    let (code, said) = verify(&home, &["--witness", "mnt/notes"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--key"), "{said}");
}

#[test]
fn a_trail_that_was_cut_is_reported_with_the_record_that_the_witness_saw() {
    let (_provider, home, _) = home("interval = \"1s\"");
    runs(&home, 2);
    let seen = home.events("witnessed");
    let (first, last) = (&seen[0]["record"], &seen[1]["record"]);
    let cut = usize::try_from(last.as_u64().expect("a number")).expect("small");
    forge(&home, cut - 1, |_| None);
    let (code, said) = verify(&home, &["--witness", "mnt/notes"]);
    assert_eq!(code, Some(1), "{said}");
    let wanted = format!(
        "broken: the trail was cut: it ends with record {}, but the witness saw record {last} at 20",
        cut - 2
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(
        said.contains(&format!("agrees up to record {first}")),
        "{said}"
    );
}

#[test]
fn a_rewritten_trail_is_reported_with_the_records_between_which_the_rewrite_began() {
    let (_provider, home, _) = home("interval = \"1s\"");
    runs(&home, 3);
    let seen = home.events("witnessed");
    let record = |nth: usize| seen[nth]["record"].as_u64().expect("a number");
    let from = usize::try_from(record(0)).expect("small") + 2;
    forge(&home, from, |body| Some(other_run(body)));
    let (code, said) = verify(&home, &["--witness", "mnt/notes"]);
    assert_eq!(code, Some(1), "{said}");
    let wanted = format!(
        "broken: the trail was rewritten after record {}: up to that record it agrees with the witness, but record {} differs from the one that the witness saw at 20",
        record(0),
        record(1)
    );
    assert!(said.contains(&wanted), "{said}");
    let (_, json) = verify(&home, &["--witness", "mnt/notes", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["intact"], false);
    assert_eq!(json["witness"]["differs_from"], record(1));
}

#[test]
fn a_trail_that_is_replaced_or_removed_together_with_its_head_is_reported() {
    let (_provider, home, key) = home("interval = \"1s\"");
    runs(&home, 2);
    forge(&home, 1, |body| Some(other_run(body)));
    let (code, said) = verify(&home, &["--witness", "mnt/notes"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("broken: the trail was replaced: none of the witnessed records"),
        "{said}"
    );
    fs::remove_dir_all(home.path("log")).expect("removed");
    fs::remove_dir_all(home.path("state")).expect("removed");
    verified(&home);
    let (code, said) = verify(&home, &["--witness", "mnt/notes", "--key", &key]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the trail was cut: it holds no record, but the witness saw"),
        "{said}"
    );
}

#[test]
fn a_changed_note_a_wrong_key_and_a_file_without_a_note_are_refused() {
    let (_provider, home, _) = home("");
    let note = runs(&home, 1).remove(0);
    let mut bytes = note.clone().into_bytes();
    // Within the root hash.
    let place = note.match_indices('\n').nth(1).expect("two lines").0 + 5;
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    fs::write(home.path("flipped"), &bytes).expect("written");
    let (code, said) = verify(&home, &["--witness", "flipped"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("not compared: flipped line 1: the note has a signature by snaprotate/test+"),
        "{said}"
    );
    let other = keygen(&home, "other-key");
    let (code, said) = verify(&home, &["--witness", "mnt/notes", "--key", &other]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("which is not a known key"), "{said}");
    fs::write(home.path("empty"), "nothing\n").expect("written");
    // A valid file beside it doesn't compensate for it.
    let (code, said) = verify(&home, &["--witness", "empty", "mnt/notes"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("not compared: empty: holds no checkpoint") && said.contains("\nintact: "),
        "{said}"
    );
    let (code, said) = verify(&home, &["--witness", "absent"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("absent: can't be read"), "{said}");
}

#[test]
fn a_checkpoint_of_an_archived_month_can_t_be_compared_and_one_of_a_kept_month_can() {
    let (_provider, home, _) = home("");
    runs(&home, 1);
    // The next month's file begins after this one, which is archived.
    let trail = home.trail();
    let last = trail.last().expect("a record");
    let (seq, prev) = (
        last["seq"].as_u64().expect("a number"),
        last["hash"].as_str(),
    );
    let body = format!(
        "{{\"seq\":{},\"time\":\"2099-01-01T00:00:00Z\",\"event\":\"checkpoint\",\"run\":\"x\",\"alerts\":[],\"prev\":\"{}\"",
        seq + 1,
        prev.expect("a hash")
    );
    let hash = hex(&Sha256::digest(&body));
    fs::remove_file(trail_file(&home)).expect("archived");
    fs::write(
        home.path("log/audit-2099-01.jsonl"),
        format!("{body},\"hash\":\"{hash}\"}}\n"),
    )
    .expect("written");
    fs::write(home.path("state/head"), format!("{:020} {hash}\n", seq + 1)).expect("written");
    verified(&home);
    let (code, said) = verify(&home, &["--witness", "mnt/notes"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("note: 1 checkpoint of earlier records can't be compared: the oldest file begins with record"),
        "{said}"
    );
    assert!(
        said.contains("broken: no checkpoint could be compared"),
        "{said}"
    );
    let key = fs::read_to_string(home.path("witness-key")).expect("a key");
    fs::write(
        home.path("newer"),
        signed_by_hand(key.trim(), seq + 1, &hash),
    )
    .expect("written");
    let (code, said) = verify(&home, &["--witness", "mnt/notes", "newer"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 checkpoint of earlier records"), "{said}");
    assert!(
        said.contains(&format!("agrees up to record {}", seq + 1)),
        "{said}"
    );
}

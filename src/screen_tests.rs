//! Compares what terminals of 80, 120 and 200 columns show with the texts in `tests/screens`.
//! `SNAPROTATE_UPDATE=1 cargo test --lib screen` writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The widths of the terminals.
const WIDTHS: [u16; 3] = [80, 120, 200];

/// A width at which nothing is wrapped.
const UNWRAPPED: u16 = 20_000;

/// The screens of one command.
#[derive(Default)]
pub(crate) struct Screens {
    text: String,
    /// Lines that are too wide, and words that are broken.
    faults: Vec<String>,
}

impl Screens {
    /// Adds the screens of a state. No line may be wider than the terminal, and no word may be
    /// broken.
    pub(crate) fn add(&mut self, state: &str, render: impl Fn(u16) -> String) {
        let whole = plain(&render(UNWRAPPED));
        let mut whole: BTreeSet<_> = words(&whole).collect();
        // A narrow table has the rotation's name in place of the snapshot's.
        whole.extend(whole.clone().iter().flat_map(|word| word.split('-')));
        for width in WIDTHS {
            let text = plain(&render(width));
            let mut fault = |what: &str| {
                let fault = format!("{state}, {width} columns: {what}");
                self.faults.push(fault);
            };
            for line in text.lines() {
                if line.chars().count() > width.into() {
                    fault(&format!("too wide: {line}"));
                }
            }
            for word in words(&text).filter(|word| !whole.contains(word)) {
                fault(&format!("not a whole word: {word}"));
            }
            let _ = write!(self.text, "== {state}, {width} columns\n{text}\n");
        }
    }

    /// Compares all screens with the file, or writes it.
    pub(crate) fn compare(self, file: &str) {
        let path = folder().join(file);
        if std::env::var_os("SNAPROTATE_UPDATE").is_some() {
            std::fs::write(&path, &self.text).expect("written");
        }
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n"));
        let expected = std::fs::read_to_string(path).expect(file);
        assert!(
            expected == self.text,
            "tests/screens/{file} is out of date: run SNAPROTATE_UPDATE=1 cargo test --lib screen, and read the difference"
        );
    }
}

/// Returns the folder of the texts and of what they show.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens")
}

/// Returns the text without colours and without blanks at the ends of lines.
fn plain(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// Returns the words without the marks around them: those differ if a text is shortened.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let marks = |c: char| "()[]\"'…,;:.".contains(c);
    let words = text
        .split_whitespace()
        .map(move |word| word.trim_matches(marks));
    words.filter(|word| !word.is_empty())
}

//! Problems of the files: what is wrong, where, and what to write instead.
//!
//! A problem keeps only its own line of the file, so that a report outlives the text. A line that
//! may hold a secret is named but never shown (I13).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::hints::nearest;
use crate::core::sanitize::{counted, printable};

/// Longest line that is shown, in bytes; a longer one is only named.
const LONGEST_LINE: usize = 400;

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The set of files is used, but something looks unintended.
    Warning,
    /// The set of files is refused as a whole.
    Error,
}

/// One problem in one file.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Description of the problem.
    pub message: String,
    /// The remedy: what to write instead.
    pub remedy: String,
    excerpt: Option<Excerpt>,
}

/// The line of a problem, and the bytes in it that are marked.
#[derive(Clone, Debug)]
struct Excerpt {
    line: String,
    span: Range<usize>,
}

/// All problems, ordered by file and line.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Problem>);

/// A file's text, shared by all positions in it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// A position in a file.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
}

/// Collects problems while the files are read.
#[derive(Debug, Default)]
pub(super) struct Diagnostics(pub(super) Vec<Problem>);

impl Diagnostics {
    pub(super) fn error(
        &mut self,
        at: &Position,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0
            .push(Problem::at(Severity::Error, at, message, remedy));
    }

    pub(super) fn warn(
        &mut self,
        at: &Position,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0
            .push(Problem::at(Severity::Warning, at, message, remedy));
    }

    /// Records an error about a file whose text can't be read.
    pub(super) fn unread(&mut self, path: &Path, message: String, remedy: &str) {
        self.0
            .push(Problem::of_file(Severity::Error, path, message, remedy));
    }

    /// Records a warning about a file that has no effect where it is.
    pub(super) fn unused(&mut self, path: &Path, message: &str, remedy: &str) {
        let message = message.to_owned();
        self.0
            .push(Problem::of_file(Severity::Warning, path, message, remedy));
    }
}

impl Problem {
    fn of_file(severity: Severity, path: &Path, message: String, remedy: &str) -> Self {
        Self {
            severity,
            file: path.to_owned(),
            line: 1,
            column: 1,
            message,
            remedy: remedy.to_owned(),
            excerpt: None,
        }
    }

    /// Returns a warning about a whole policy.
    pub fn of_policy(file: PathBuf, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            file,
            line: 1,
            column: 1,
            message: message.into(),
            remedy: remedy.into(),
            excerpt: None,
        }
    }

    fn at(
        severity: Severity,
        at: &Position,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let text = &at.source.text;
        let mut start = at.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let from = (start - line_start).min(line.len());
        let mut to = (at.span.end.max(start) - line_start).clamp(from, line.len());
        while !line.is_char_boundary(to) {
            to += 1;
        }
        let spaced = line.replace('\t', " ");
        let plain = printable(&spaced, usize::MAX) == spaced;
        let shown = line.len() <= LONGEST_LINE && !may_hold_a_secret(line) && plain;
        Self {
            severity,
            file: at.source.path.clone(),
            line: text[..line_start].matches('\n').count() + 1,
            column: line[..from].chars().count() + 1,
            message: message.into(),
            remedy: remedy.into(),
            excerpt: shown.then(|| Excerpt {
                line: line.to_owned(),
                span: from..to,
            }),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = printable(&self.file.display().to_string(), usize::MAX);
        let title = level.primary_title(printable(&self.message, usize::MAX));
        let group = match &self.excerpt {
            Some(excerpt) => title.element(
                Snippet::source(excerpt.line.as_str())
                    .line_start(self.line)
                    .path(path)
                    .annotation(AnnotationKind::Primary.span(excerpt.span.clone())),
            ),
            None => title.element(Origin::path(path).line(self.line).char_column(self.column)),
        };
        renderer.render(&[group.element(Level::HELP.message(printable(&self.remedy, usize::MAX)))])
    }
}

impl Problems {
    /// Renders the report for a terminal: each problem with its line and remedy, then a count.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut report = String::new();
        for problem in &self.0 {
            report.push_str(&problem.render(&renderer));
            report.push_str("\n\n");
        }
        let files: BTreeSet<&Path> = self.0.iter().map(|p| p.file.as_path()).collect();
        let warnings = self.0.iter();
        let warnings = warnings.filter(|problem| problem.severity == Severity::Warning);
        let warnings = warnings.count();
        report += &counted(self.0.len() - warnings, "problem");
        if warnings > 0 {
            report = report + ", " + &counted(warnings, "warning");
        }
        report + " in " + &counted(files.len(), "file")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}:{}: {severity}: {}; {}",
            printable(&self.file.display().to_string(), usize::MAX),
            self.line,
            self.column,
            printable(&self.message, usize::MAX),
            printable(&self.remedy, usize::MAX),
        )
    }
}

/// One line per problem, for the journal.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Returns true if the line may hold a secret, even under a misspelt key (I13).
fn may_hold_a_secret(line: &str) -> bool {
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let key = key.trim();
    // A receiver's address may be all that is needed to post to it.
    if key == "url" || (key == "url_file" && value.contains("://")) {
        return true;
    }
    if key == "token_file" {
        return is_pasted(value.trim().trim_matches(['"', '\'']));
    }
    let secret = ["token", "secret", "password", "bearer", "apikey", "key"];
    let named = key
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.len() > 2 && nearest(word, secret.into_iter()).is_some());
    named || (line.contains("://") && line.contains('@'))
}

/// Returns true if a path looks like a secret that was pasted in place of its file's path (I13).
pub(super) fn is_pasted(path: &str) -> bool {
    path.len() >= 20 && !path.contains(['/', '.'])
}

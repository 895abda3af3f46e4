//! Prints the selected texts: all, the newest, or those that the service adds.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::filter::Filter;
use super::record_texts::{OutputForm, RecordTexts, ShownText};
use crate::audit::{Record, TrailError, TrailFollower, newest_records, records};
use crate::cli::output::SafeJson;
use crate::cli::pager::PagedOutput;
use crate::cli::screen::fitting;
use crate::cli::{Exit, note};

/// Bytes from the end of the trail that are read first for the newest texts. A second read is four
/// times as long, and so on.
const FIRST_READ: u64 = 1 << 18;
/// Most bytes that are read to find the beginning of an action.
const READ_FOR_BEGINNING: u64 = 1 << 24;
/// Unreadable lines that are reported one by one; any further ones are only counted.
const TOLD: u64 = 5;
/// Rows that a screen has for other lines: the zone, the legend, the note about what is left out,
/// and the prompt.
const OTHER_ROWS: u16 = 4;
/// Interval between two reads of the trail.
const EVERY: Duration = Duration::from_millis(250);

/// The part of the selected texts that is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordRange {
    /// All of them.
    All,
    /// The newest ones.
    Last(usize),
    /// The newest ones that fit on a screen with this many rows.
    Screen(u16),
}

/// Writes texts, and counts what can't be read.
pub(super) struct RecordOutput<'f> {
    filter: &'f Filter,
    form: &'f OutputForm,
    out: SafeJson<BufWriter<PagedOutput>>,
    shown: u64,
    unread: u64,
    left_out: Option<String>,
}

impl<'f> RecordOutput<'f> {
    pub(super) fn new(
        filter: &'f Filter,
        form: &'f OutputForm,
        out: SafeJson<BufWriter<PagedOutput>>,
    ) -> Self {
        Self {
            filter,
            form,
            out,
            shown: 0,
            unread: 0,
            left_out: None,
        }
    }

    /// Prints the texts of these files. A file begins with a checkpoint, so no earlier file is
    /// needed.
    pub(super) fn show(&mut self, files: &[PathBuf], range: RecordRange) -> io::Result<()> {
        if range == RecordRange::All {
            return self.all(files);
        }
        let (texts, whole) = match self.newest(files, range) {
            Ok(found) => found,
            Err(error) => {
                self.unread(&error);
                return Ok(());
            }
        };
        let begin = beginning(&texts, range);
        for shown in &texts[begin..] {
            self.print(&shown.text)?;
        }
        if matches!(range, RecordRange::Screen(_)) && (begin > 0 || !whole) {
            let lines = if self.form.is_folded() {
                "actions"
            } else {
                "records"
            };
            self.left_out = Some(format!(
                "only the newest {} {lines}: --all, --last N or --since TIME shows more",
                texts.len() - begin
            ));
        }
        Ok(())
    }

    fn all(&mut self, files: &[PathBuf]) -> io::Result<()> {
        let mut texts = RecordTexts::new(self.filter, self.form);
        for record in files.iter().cloned().flat_map(records) {
            for shown in self.texts(&mut texts, record) {
                self.print(&shown.text)?;
            }
        }
        for shown in texts.open() {
            self.print(&shown.text)?;
        }
        Ok(())
    }

    /// Reads from the end, further back each time, until enough texts are found. Returns them, and
    /// true if they are all.
    fn newest(
        &mut self,
        files: &[PathBuf],
        range: RecordRange,
    ) -> Result<(Vec<ShownText>, bool), TrailError> {
        let mut bytes = if self.filter.needs_earlier_names() {
            u64::MAX
        } else {
            FIRST_READ
        };
        loop {
            let (records, whole) = newest_records(files, bytes)?;
            let mut texts = RecordTexts::new(self.filter, self.form);
            let (mut found, mut spoilt) = (Vec::new(), false);
            for record in records {
                // Only a read from the beginning numbers the lines.
                spoilt |= record.is_err();
                if whole || record.is_ok() {
                    found.extend(self.texts(&mut texts, record));
                }
            }
            found.extend(texts.open());
            let begin = beginning(&found, range);
            let headless = found[begin..].iter().any(|shown| shown.headless);
            let enough = begin > 0 && !(headless && bytes < READ_FOR_BEGINNING);
            if whole || (enough && !spoilt) {
                return Ok((found, whole));
            }
            bytes = if spoilt {
                u64::MAX
            } else {
                bytes.saturating_mul(4)
            };
        }
    }

    /// Prints the texts of the range, and then each text that is added, until the process is
    /// interrupted or the reader closes the pipe.
    pub(super) fn follow(
        &mut self,
        folder: &Path,
        files: &[PathBuf],
        range: RecordRange,
    ) -> Result<io::Result<()>, TrailError> {
        let mut trail = match range {
            RecordRange::All => TrailFollower::from_start(folder, files),
            _ => TrailFollower::from_recent(folder, files)?,
        };
        let mut texts = RecordTexts::new(self.filter, self.form);
        let mut is_first = true;
        loop {
            let mut found = Vec::new();
            for record in trail.appended()? {
                found.extend(self.texts(&mut texts, record));
            }
            found.extend(texts.open());
            if std::mem::take(&mut is_first) {
                found.drain(..beginning(&found, range));
            }
            let printed = found.iter().try_for_each(|shown| self.print(&shown.text));
            if let Err(why) = printed.and_then(|()| self.out.flush()) {
                return Ok(Err(why));
            }
            std::thread::sleep(EVERY);
        }
    }

    /// Adds the record to the texts, and returns those that it completes.
    fn texts(
        &mut self,
        texts: &mut RecordTexts<'_>,
        record: Result<Record, TrailError>,
    ) -> Vec<ShownText> {
        match record {
            // Records of other servers belong to no action of this one.
            Ok(record) if self.filter.may_concern(&record) => texts.take(record),
            Ok(_) => Vec::new(),
            Err(error) => {
                self.unread(&error);
                Vec::new()
            }
        }
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        let end = self.form.line_end();
        if self.shown == 0
            && let Some(opening) = self.form.opening()
        {
            write!(self.out, "{opening}{end}")?;
        }
        self.shown += 1;
        write!(self.out, "{text}{end}")
    }

    fn unread(&mut self, error: &TrailError) {
        self.unread += 1;
        if self.unread <= TOLD {
            note(&error.to_string());
        }
    }

    /// Writes the legend on a terminal, and what was held back; waits until a pager is closed.
    pub(super) fn finish(self, to_terminal: bool) -> io::Result<()> {
        let mut out = self.out;
        if let Some(closing) = self.form.closing()
            && to_terminal
            && self.shown > 0
        {
            writeln!(out, "{closing}")?;
        }
        out.into_inner()
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .finish()
    }

    /// Returns the number of texts printed so far.
    pub(super) fn shown(&self) -> u64 {
        self.shown
    }

    /// Returns a note if there are older texts.
    pub(super) fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }

    /// Reports how many lines could not be read. Returns `Bad` if there are any.
    pub(super) fn ended(&self) -> Exit {
        if self.unread > TOLD {
            note(&format!("{} lines of the trail can't be read", self.unread));
        }
        if self.unread > 0 {
            Exit::Bad
        } else {
            Exit::Good
        }
    }
}

/// Returns the index of the first text of the range. One text is shown, however long it is.
fn beginning(texts: &[ShownText], range: RecordRange) -> usize {
    match range {
        RecordRange::All => 0,
        RecordRange::Last(last) => texts.len().saturating_sub(last),
        RecordRange::Screen(rows) => {
            let newest = texts.iter().rev().map(|shown| shown.text.as_str());
            let fit = fitting(newest, rows.saturating_sub(OTHER_ROWS).into());
            texts.len().saturating_sub(fit)
        }
    }
}

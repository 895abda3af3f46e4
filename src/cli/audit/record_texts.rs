//! Selects records and turns them into the texts that `audit show` prints: a line for each action,
//! or one for each record.

use std::collections::{BTreeMap, BTreeSet};

use super::action_csv;
use super::action_fold::{Action, ActionFold};
use super::filter::Filter;
use super::record_line::LineFormat;
use super::snapshot_names::{NamedRecord, SnapshotNames};
use crate::audit::Record;
use crate::core::snapshot::ServerId;

/// The form of the output.
pub(super) enum OutputForm {
    /// The records as they are in the trail.
    Json,
    /// A line for each record.
    Raw(LineFormat),
    /// A line for each action.
    Actions(LineFormat),
    /// A row of CSV for each action.
    Csv,
}

/// One text of the output.
pub(super) struct ShownText {
    pub(super) text: String,
    /// True if the records before may hold the beginning of the action, or the snapshot's name.
    pub(super) headless: bool,
}

/// Turns records, in the order of the trail, into texts.
pub(super) struct RecordTexts<'f> {
    filter: &'f Filter,
    form: &'f OutputForm,
    known: SnapshotNames,
    repeated: RepeatedAlerts,
    fold: ActionFold,
    /// The first records of the open actions that were shown.
    announced: BTreeSet<u64>,
}

impl OutputForm {
    /// Returns true if records are folded into actions.
    pub(super) fn is_folded(&self) -> bool {
        matches!(self, Self::Actions(_) | Self::Csv)
    }

    /// Returns what comes before the first text.
    pub(super) fn opening(&self) -> Option<String> {
        match self {
            Self::Json => None,
            Self::Raw(lines) | Self::Actions(lines) => Some(lines.opening()),
            Self::Csv => Some(action_csv::header()),
        }
    }

    /// Returns what comes after the last text on a terminal.
    pub(super) fn closing(&self) -> Option<String> {
        match self {
            Self::Actions(lines) => Some(lines.legend()),
            _ => None,
        }
    }

    /// Returns the end of a text's last line.
    pub(super) fn line_end(&self) -> &'static str {
        match self {
            Self::Csv => "\r\n",
            _ => "\n",
        }
    }

    fn action(&self, action: &Action) -> Option<String> {
        match self {
            Self::Actions(lines) => Some(lines.action(action)),
            Self::Csv => Some(action_csv::action(action)),
            Self::Json | Self::Raw(_) => None,
        }
    }
}

impl<'f> RecordTexts<'f> {
    pub(super) fn new(filter: &'f Filter, form: &'f OutputForm) -> Self {
        Self {
            filter,
            form,
            known: SnapshotNames::default(),
            repeated: RepeatedAlerts::default(),
            fold: ActionFold::default(),
            announced: BTreeSet::new(),
        }
    }

    /// Adds the next record, and returns the texts that are complete with it.
    pub(super) fn take(&mut self, record: Record) -> Vec<ShownText> {
        let named = self.known.named(record);
        // A checkpoint repeats earlier records. It is shown only with `--json` or if asked for.
        let repeats = named.record.event == "checkpoint" && self.filter.events.is_empty();
        match self.form {
            OutputForm::Json => {
                let taken = self.filter.takes(&named);
                taken
                    .then(|| ShownText::of(named.record.json))
                    .into_iter()
                    .collect()
            }
            _ if repeats => Vec::new(),
            OutputForm::Raw(lines) => {
                let taken = self.filter.takes(&named) && self.repeated.is_new(&named);
                let shown = taken.then(|| ShownText {
                    text: lines.line(&named),
                    headless: named.name.is_none() && named.said.id.is_some(),
                });
                shown.into_iter().collect()
            }
            OutputForm::Actions(_) | OutputForm::Csv => {
                let ended = self.fold.take(named);
                let texts = ended.iter().filter_map(|action| self.ended(action));
                texts.collect()
            }
        }
    }

    /// Returns the texts of the actions that have not ended, if they were not returned before.
    pub(super) fn open(&mut self) -> Vec<ShownText> {
        let mut texts = Vec::new();
        for action in self.fold.open() {
            let is_new = self.announced.insert(action.first().record.seq);
            if is_new && takes(self.filter, action) {
                texts.extend(self.form.action(action).map(ShownText::of));
            }
        }
        texts
    }

    fn ended(&mut self, action: &Action) -> Option<ShownText> {
        self.announced.remove(&action.first().record.seq);
        let shown = takes(self.filter, action) && self.repeated.is_new(action.last());
        let text = shown.then(|| self.form.action(action))??;
        Some(ShownText {
            text,
            headless: action.headless,
        })
    }
}

fn takes(filter: &Filter, action: &Action) -> bool {
    action.steps.iter().any(|step| filter.takes(step))
}

impl ShownText {
    fn of(text: String) -> Self {
        Self {
            text,
            headless: false,
        }
    }
}

/// The reason of each server's last selected record. An alert that only repeats it is left out.
#[derive(Default)]
struct RepeatedAlerts(BTreeMap<ServerId, Option<String>>);

impl RepeatedAlerts {
    fn is_new(&mut self, named: &NamedRecord) -> bool {
        let NamedRecord { record, said, .. } = named;
        let Some(server) = record.server.clone() else {
            return true;
        };
        // An alert's reason also has what to do, and a block's has not.
        let told = said.what.clone().or_else(|| said.reason.clone());
        let before = self.0.insert(server, told.clone()).flatten();
        record.event != "alert_raised" || before.is_none() || before != told
    }
}

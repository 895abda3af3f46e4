//! One policy file: a server, its protected snapshots, and its rotations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Position, Source};
use super::rotation::{RawRotation, RotationDefaults};
use super::schedule_checks::Schedules;
use super::table_reader::{Located, TableReader};
use super::time_checks::said;
use super::value_types::ProtectEntry;
use super::{defaults, file_source, pattern_checks};
use crate::core::copy_age_limit::longest_time_without_slot;
use crate::core::policy::{Hooks, Policy, Rotation};
use crate::core::snapshot::ServerId;

/// A policy as it is written.
#[derive(Debug)]
struct RawPolicy {
    /// The first line, where missing tables are reported.
    top: Position,
    id: Option<Located<ServerId>>,
    name: Option<Located<String>>,
    protect: Vec<Located<ProtectEntry>>,
    min_completed: Option<Located<usize>>,
    delete_stuck: Option<Located<bool>>,
    alert_after: Option<Located<SignedDuration>>,
    /// `None`: the tables can't be read, which was reported.
    rotations: Option<Vec<RawRotation>>,
}

/// Returns the hooks of one rotation, the server's id and its name; nothing else in the policy's
/// file needs to be valid.
pub(super) fn hooks(
    path: &Path,
    rotation: &str,
    defaults: &RotationDefaults,
    log: &mut Diagnostics,
) -> Option<(Arc<Hooks>, ServerId, String)> {
    let source = file_source::read(path, "make it a readable file", log)?;
    let (table, _) = file_source::parse_what_can_be(&source, log);
    let mut unsaid = Diagnostics::default();
    let raw = RawPolicy::read(table, &source, &mut unsaid);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let called = raw.name.map_or(stem.into_owned(), |name| name.value);
    let named = |raw: &RawRotation| raw.name.as_ref().is_some_and(|name| name.value == rotation);
    let hooks = raw
        .rotations?
        .into_iter()
        .find(named)?
        .hooks(defaults, log)?;
    Some((hooks, raw.id?.value, called))
}

/// State that all policies share while they are read.
pub(super) struct PolicyContext<'a> {
    /// True: a policy is used as far as it can be read. False: a policy with a syntax error, an
    /// invalid rotation or no id is discarded.
    pub(super) lenient: bool,
    pub(super) limit: usize,
    pub(super) defaults: &'a RotationDefaults,
    pub(super) schedules: Schedules,
    /// The file in which each server first occurred.
    pub(super) servers: BTreeMap<ServerId, std::path::PathBuf>,
}

impl PolicyContext<'_> {
    /// Reads one file and reports its problems. Returns `None` if it can't be used; if lenient,
    /// only if the file or its server's id can't be read.
    pub(super) fn policy(&mut self, path: &Path, log: &mut Diagnostics) -> Option<Policy> {
        let source = file_source::read(
            path,
            "make it a readable file, or move it out of the folder",
            log,
        )?;
        let (table, whole) = file_source::parse_what_can_be(&source, log);
        if !whole && !self.lenient {
            return None;
        }
        let raw = RawPolicy::read(table, &source, log);
        self.validate(raw, path, log)
    }

    fn validate(&mut self, raw: RawPolicy, path: &Path, log: &mut Diagnostics) -> Option<Policy> {
        if let Some(id) = &raw.id {
            if let Some(first) = self.servers.get(&id.value) {
                let message = format!(
                    "server {} already has a policy: {}",
                    id.value,
                    first.display()
                );
                log.error(
                    &id.at,
                    message,
                    "write its rotations in one of the two files, or correct the id",
                );
            } else {
                self.servers.insert(id.value.clone(), path.to_owned());
            }
        }
        if let Some(least) = &raw.min_completed
            && least.value > self.limit
        {
            let message = format!(
                "min_completed ({}) is above the {} snapshots that a server may hold",
                least.value, self.limit
            );
            log.error(&least.at, message, format!("write {} or less", self.limit));
        }
        let raws = match raw.rotations {
            None if self.lenient => Vec::new(),
            rotations => rotations?,
        };
        if let Some(least) = &raw.min_completed {
            self.prunable(least, &raws, log);
        }
        if raws.is_empty() {
            log.error(
                &raw.top,
                "the policy has no rotation",
                "write a [[rotation]] with name, schedule and keep, or remove the file",
            );
        }
        self.room(&raws, log);
        repeated(&raws, log);
        let unknown = || ServerId::from(0);
        let server = raw.id.as_ref().map_or_else(unknown, |id| id.value.clone());
        let whole = raws.len();
        let rotations: Vec<(Rotation, Position)> = raws
            .into_iter()
            .filter_map(|raw| {
                let at = raw
                    .name
                    .as_ref()
                    .map_or_else(|| raw.at.clone(), |name| name.at.clone());
                let rotation = raw.validate(&server, self.defaults, &mut self.schedules, log)?;
                Some((rotation, at))
            })
            .collect();
        pattern_checks::clashes(&rotations, log);
        if rotations.len() < whole && !self.lenient {
            return None;
        }
        let mut rotations: Vec<_> = rotations
            .into_iter()
            .map(|(rotation, _)| rotation)
            .collect();
        // Collected in place, the vector would keep the larger allocation of its source.
        rotations.shrink_to_fit();
        if let Some(age) = &raw.alert_after {
            unkept_recovery_point(age, &rotations, log);
        }
        let (mut protected_names, mut protected_ids) = (BTreeSet::new(), BTreeSet::new());
        for entry in raw.protect {
            match entry.value {
                ProtectEntry::Name(name) => drop(protected_names.insert(name)),
                ProtectEntry::Id(id) => drop(protected_ids.insert(id)),
            }
        }
        raw.id.map(|_| Policy {
            file: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            server,
            name: raw.name.map(|name| name.value),
            protected_names,
            protected_ids,
            min_completed: raw
                .min_completed
                .map_or(defaults::MIN_COMPLETED, |least| least.value),
            delete_stuck: raw.delete_stuck.is_some_and(|word| word.value),
            alert_after: raw.alert_after.map(|age| age.value),
            rotations,
        })
    }

    /// Warns if a full server can't be pruned for a new snapshot. It is not an error: while there
    /// is room, and on a server that foreign snapshots fill, keeping everything may be intended.
    fn prunable(&self, least: &Located<usize>, raws: &[RawRotation], log: &mut Diagnostics) {
        let keeps: Option<Vec<usize>> = raws
            .iter()
            .map(|raw| raw.keep.as_ref().map(|keep| keep.value))
            .collect();
        let Some(sum) = keeps.map(|keeps| keeps.iter().fold(0_usize, |a, b| a.saturating_add(*b)))
        else {
            return;
        };
        let fills_all = least.value == sum && sum == self.limit;
        if sum == 0 || sum > self.limit || least.value > self.limit {
            return;
        }
        if least.value > sum || fills_all {
            let message = format!(
                "min_completed ({}) leaves nothing to prune, since keep adds up to {sum}: once the server is full, no new snapshot is ever made",
                least.value
            );
            let fewer = sum.saturating_sub(1).max(defaults::MIN_COMPLETED);
            let remedy = format!("write min_completed = {fewer}, or a higher keep");
            log.warn(&least.at, message, remedy);
        }
    }

    /// Reports `keep` values that add up to more than the server may hold, and warns if they add up
    /// to exactly that many.
    fn room(&self, raws: &[RawRotation], log: &mut Diagnostics) {
        let keeps = raws.iter().filter_map(|raw| raw.keep.as_ref());
        let mut sum = 0_usize;
        for keep in keeps {
            let before = sum;
            sum = sum.saturating_add(keep.value);
            if sum > self.limit {
                let left = self.limit.saturating_sub(before);
                let remedy = match left {
                    0 => "remove the rotation, or lower keep in the others".to_owned(),
                    left => format!("write keep = {left} or less here, or lower it in the others"),
                };
                let message = format!(
                    "keep adds up to {sum} over the rotations, but a server may hold {}",
                    self.limit
                );
                log.error(&keep.at, message, remedy);
                return;
            }
        }
        if let Some(last) = raws.last().and_then(|raw| raw.keep.as_ref())
            && sum == self.limit
        {
            log.warn(
                &last.at,
                format!("keep ({sum}) fills all {sum} places of a server: the oldest snapshot is deleted before a new one is made"),
                "lower one keep by 1, so that the new one is made first",
            );
        }
    }
}

/// Warns if two neighbouring slots are further apart than `alert_after`.
fn unkept_recovery_point(
    age: &Located<SignedDuration>,
    rotations: &[Rotation],
    log: &mut Diagnostics,
) {
    let Some(apart) = longest_time_without_slot(rotations) else {
        return;
    };
    if age.value < apart {
        let (age_said, apart) = (said(age.value), said(apart));
        let message = format!(
            "alert_after ({age_said}) is shorter than the {apart} that pass between two slots, so the alert is raised even if every snapshot is made"
        );
        let remedy = "write a longer alert_after, or schedule more snapshots";
        log.warn(&age.at, message, remedy);
    }
}

fn repeated(raws: &[RawRotation], log: &mut Diagnostics) {
    let mut names = BTreeSet::new();
    for name in raws.iter().filter_map(|raw| raw.name.as_ref()) {
        if !names.insert(&name.value) {
            let message = format!("two rotations are named {:?}", name.value);
            log.error(
                &name.at,
                message,
                "give each rotation of a server its own name",
            );
        }
    }
}

impl RawPolicy {
    fn read<'s>(table: DeTable<'s>, source: &'s Arc<Source>, log: &mut Diagnostics) -> Self {
        let mut root = TableReader::root(source, table);
        for key in ["hooks", "hook"] {
            let why = (
                "hooks belong to a rotation",
                "write them below [rotation.hooks], after the [[rotation]] that they are for",
            );
            root.refuse(key, why, log);
        }
        for key in ["protect", "min_completed", "delete_stuck", "alert_after"] {
            let why = ("this key belongs to the server", "write it below [server]");
            root.refuse(key, why, log);
        }
        let top = root.at().clone();
        root.require_saying(
            "server",
            "the table [server] is missing",
            "write [server] and below it id = 12345",
        );
        let mut raw = Self {
            top,
            id: None,
            name: None,
            protect: Vec::new(),
            min_completed: None,
            delete_stuck: None,
            alert_after: None,
            rotations: Some(Vec::new()),
        };
        if let Some(server) = root.take_table("server", "[server]", log) {
            raw.server(server, log);
        }
        let title = "[[rotation]]";
        let given = root.has("rotation");
        let sections = root.take_tables("rotation", title, log);
        raw.rotations = match sections {
            None if given => None,
            sections => Some(
                sections
                    .unwrap_or_default()
                    .into_iter()
                    .map(|section| RawRotation::read(section, log))
                    .collect(),
            ),
        };
        root.finish(log);
        raw
    }

    fn server(&mut self, mut section: TableReader<'_>, log: &mut Diagnostics) {
        section.require("id", "12345, the provider's id of the server");
        self.id = section.take_if(
            "id",
            log,
            |id: &ServerId| id.number() != Some(0),
            (
                "must be positive",
                "write the provider's id of the server, such as id = 12345",
            ),
        );
        self.name = section.take("name", log);
        self.protect = section.take_list("protect", log).unwrap_or_default();
        self.min_completed = section.take_if(
            "min_completed",
            log,
            |least: &usize| *least > 0,
            (
                "must be at least 1",
                "write min_completed = 1: the newest own completed snapshot is never deleted",
            ),
        );
        self.delete_stuck = section.take("delete_stuck", log);
        self.alert_after = section.take_if(
            "alert_after",
            log,
            SignedDuration::is_positive,
            (
                "must be longer than 0s",
                "write the age at which the newest snapshot is too old, such as alert_after = \"30h\"",
            ),
        );
        section.finish(log);
    }
}

//! Shared by the targets: checks of messages, and a folder of configuration files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use snaprotate::api::fuzz_entry::AnswerReader;
use snaprotate::config::{Config, Environment, Problems, Severity, folders, load};
use tempfile::TempDir;

/// A token that must never be shown.
pub const TOKEN: &str = "s3cr3t-t0ken-q7Zx9";

/// Returns true if a character breaks a line or controls what displays it. These rules are
/// independent of the program's.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0x061c | 0x200e | 0x200f | 0x2028..=0x202e | 0x2066..=0x2069)
}

/// Checks that a text is one printable line of at most `most` characters.
pub fn assert_line(text: &str, most: usize) {
    assert!(!text.trim().is_empty(), "nothing is said");
    assert!(!text.chars().any(deceives), "not one line: {text:?}");
    let length = text.chars().count();
    assert!(length <= most, "{length} characters: {text:?}");
}

/// The files of a service, valid until one is overwritten.
pub struct Folder(TempDir);

const MAIN: &str = "[api]\ntoken_file = \"token\"\n";
const POLICY: &str =
    "[server]\nid = 7\n[[rotation]]\nname = \"weekly\"\nschedule = \"0 3 * * Sun\"\nkeep = 3\n";

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.path("policies.d")).expect("a folder");
        folder.write("token", TOKEN.as_bytes());
        fs::set_permissions(folder.path("token"), Permissions::from_mode(0o600)).expect("mode");
        folder.write("snaprotate.toml", MAIN.as_bytes());
        folder.write("policies.d/web.toml", POLICY.as_bytes());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("written");
    }

    /// Reads the configuration with this content in this file, and checks what holds for any
    /// content.
    pub fn check(&self, name: &str, content: &[u8]) {
        self.write(name, content);
        let main = self.path("snaprotate.toml");
        let config = match load(&main, &Environment::default()) {
            Ok(config) => config,
            Err(problems) => return self.refused(&problems, &self.path(name), content),
        };
        for warning in &config.warnings {
            assert_eq!(warning.severity, Severity::Warning);
        }
        self.said(
            &Problems(config.warnings.clone()),
            &self.path(name),
            content,
        );
        let known =
            folders(&main, &Environment::default()).expect("they are in files that are good");
        assert_eq!(known.state_dir, config.state_dir);
        assert_eq!(known.audit_dir, config.audit_dir);
        usable(&config);
        // A comment must not invalidate a valid file.
        self.write(name, &[content, b"\n# the end\n"].concat());
        let again = load(&main, &Environment::default()).unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(again.policies.len(), config.policies.len());
    }

    fn refused(&self, problems: &Problems, file: &Path, content: &[u8]) {
        assert!(problems.0.iter().any(|p| p.severity == Severity::Error));
        self.said(problems, file, content);
    }

    fn said(&self, problems: &Problems, file: &Path, content: &[u8]) {
        let lines = content.iter().filter(|byte| **byte == b'\n').count() + 1;
        for problem in &problems.0 {
            assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
            if problem.file == file {
                assert!(problem.line <= lines, "{problem}");
            }
            assert!(problem.file.is_absolute(), "{problem}");
            assert!(!problem.message.contains('\n'), "{:?}", problem.message);
            assert!(!problem.message.trim().is_empty(), "{problem}");
            assert!(!problem.remedy.trim().is_empty(), "{problem}");
            assert_line(&problem.to_string(), content.len() * 12 + 2_000);
        }
        let journal = problems.to_string();
        let told = journal.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(told, problems.0.len(), "{journal:?}");
        let report = problems.render(false);
        let steers = |c: char| c != '\n' && deceives(c);
        assert!(!report.contains(steers), "{report:?}");
        // I13: the token appears only if the content has it.
        let given = content
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes());
        assert!(given || !(report + &journal).contains(TOKEN));
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks what every valid configuration guarantees.
fn usable(config: &Config) {
    let api = &config.api;
    assert!(api.base_url.path().ends_with('/'), "{}", api.base_url);
    AnswerReader::new(api.base_url.as_str(), TOKEN).expect("the client takes the address too");
    assert!(!api.connect_timeout.is_zero() && !api.request_timeout.is_zero());
    assert!(api.max_in_flight > 0 && api.max_body > 0);
    assert!(api.requests_per_second.is_finite() && api.requests_per_second >= 0.0);
    let rules = &config.rules;
    let times = [
        rules.poll_interval,
        rules.settle_window,
        rules.stuck_after,
        rules.retry_after,
    ];
    assert!(times.iter().all(|time| time.is_positive()));
    assert!(!rules.restore_window.is_negative());
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
    for policy in &config.policies {
        assert!(policy.server.number() != Some(0) && policy.min_completed > 0);
        let keep: usize = policy.rotations.iter().map(|rotation| rotation.keep).sum();
        assert!((1..=rules.limit).contains(&keep), "{keep}");
        for (nth, rotation) in policy.rotations.iter().enumerate() {
            assert!(rotation.keep > 0 && rotation.attempts > 0);
            assert!(!rotation.splay.is_negative());
            assert!(
                rotation
                    .catch_up
                    .is_none_or(|catch_up| rotation.splay < catch_up)
            );
            for earlier in &policy.rotations[..nth] {
                assert_ne!(earlier.name, rotation.name);
                let mut pairs = rotation
                    .patterns()
                    .flat_map(|one| earlier.patterns().map(move |other| (one, other)));
                assert!(pairs.all(|(one, other)| !one.may_clash(other)));
            }
            // Each slot has its own name, which finds it again (I9).
            let slots = std::iter::successors(rotation.schedule.next(now), |slot| {
                rotation.schedule.next(slot.at)
            });
            let mut before = None;
            for slot in slots.take(50) {
                let name = rotation.pattern.format(slot.local);
                let place = policy.place(&name).expect("own");
                assert_eq!(place.rotation, nth, "{name}");
                assert_ne!(before.replace(name.clone()), Some(name));
            }
        }
    }
}

/// Returns the id of a row: its `id`, or its `uuid` if it has no `id`.
pub fn id_of<I: From<u64> + std::str::FromStr>(row: &serde_json::Value) -> Option<I> {
    let key = if row["id"].is_null() { "uuid" } else { "id" };
    match &row[key] {
        serde_json::Value::Number(number) => number.as_u64().map(I::from),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

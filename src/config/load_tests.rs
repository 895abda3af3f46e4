//! Complete configurations, and the settings that result from them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::fixture::{ConfigFolder, MAIN, POLICY};
use super::{Config, Environment, hooks_of, load};
use crate::core::policy::{Hooks, ReleaseWhen, WhenFull};
use crate::core::snapshot::{ServerId, SnapshotId};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn credential() -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("api-token");
    std::fs::write(&token, "s3cr3t\n").expect("written");
    std::fs::set_permissions(&token, Permissions::from_mode(0o440)).expect("a mode");
    let env = Environment {
        credentials_directory: Some(folder.path().to_owned()),
        ..Environment::default()
    };
    (folder, env)
}

fn meant(config: &Config) -> String {
    format!(
        "{:#?} {:#?} {:?} {:?} {:#?}",
        config.api, config.rules, config.state_dir, config.audit_dir, config.policies
    )
}

#[test]
fn the_shipped_examples_load_without_warnings() {
    let (_folder, env) = credential();
    let config = load(&shipped().join("snaprotate.toml"), &env).expect("good");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let files: Vec<&str> = config.policies.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(files, ["web-server-01", "db-server-01"]);
    assert_eq!(config.policies[1].rotations.len(), 2);
}

#[test]
fn the_commented_out_values_in_the_shipped_examples_are_the_defaults() {
    let (_folder, env) = credential();
    let plain = load(&shipped().join("snaprotate.toml"), &env).expect("good");
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(copy.path().join("policies.d")).expect("a folder");
    let no_default = [
        "token_file",
        "ca_file",
        "description",
        "catch_up",
        "alert_after",
        "protect",
        "former_names",
        "proxy",
        // Keys of tables that are off by default as a whole.
        "listen",
        "hosts",
        "url",
        "interval",
        "key_file",
        "origin",
        "journal",
        "file",
    ];
    let mut uncommented = 0;
    for name in [
        "snaprotate.toml",
        "policies.d/web-server-01.toml",
        "policies.d/db-server-01.toml",
    ] {
        let text = std::fs::read_to_string(shipped().join(name)).expect("read");
        let lines: Vec<&str> = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(bare)
                    if bare.contains(" = ")
                        && bare.starts_with(|c: char| c.is_ascii_lowercase()) =>
                {
                    let key = bare.split(' ').next().unwrap_or_default();
                    if no_default.contains(&key) {
                        return line;
                    }
                    uncommented += 1;
                    bare
                }
                _ => line,
            })
            .collect();
        std::fs::write(copy.path().join(name), lines.join("\n")).expect("written");
    }
    assert_eq!(uncommented, 33);
    let written =
        load(&copy.path().join("snaprotate.toml"), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(meant(&plain), meant(&written));
}

#[test]
fn omitted_keys_get_the_documented_defaults() {
    let config = ConfigFolder::new().good();
    let (api, rules) = (&config.api, &config.rules);
    assert_eq!(api.base_url.as_str(), "https://admin.vps.org/api/v1/");
    assert_eq!(api.connect_timeout, Duration::from_secs(10));
    assert_eq!(api.request_timeout, Duration::from_secs(30));
    assert_eq!((api.max_in_flight, api.max_body), (8, 64 << 20));
    assert!((api.requests_per_second - 5.0).abs() < f64::EPSILON);
    assert_eq!(rules.limit, 5);
    assert_eq!(rules.poll_interval, SignedDuration::from_secs(15));
    assert_eq!(rules.settle_window, SignedDuration::from_mins(10));
    assert_eq!(rules.stuck_after, SignedDuration::from_hours(1));
    assert_eq!(rules.retry_after, SignedDuration::from_mins(5));
    assert_eq!(rules.restore_window, SignedDuration::from_mins(30));
    assert_eq!(rules.shrink_grace, SignedDuration::from_hours(1));
    assert_eq!(rules.request_timeout, SignedDuration::from_secs(30));
    assert!(rules.due_until.is_none() && !rules.count_all);
    assert_eq!(config.state_dir, Path::new("/var/lib/snaprotate"));
    assert_eq!(config.audit_dir, Path::new("/var/log/snaprotate"));
    let policy = &config.policies[0];
    assert_eq!((policy.min_completed, policy.delete_stuck), (1, false));
    let rotation = &policy.rotations[0];
    assert_eq!(rotation.pattern.to_string(), "weekly-snapshot-%Y-%m-%d");
    assert_eq!(
        (rotation.attempts, rotation.when_full),
        (3, WhenFull::PruneFirst)
    );
    assert_eq!(
        (rotation.catch_up, rotation.splay),
        (None, SignedDuration::ZERO)
    );
}

#[test]
fn a_former_pattern_is_coarse_if_it_gives_several_slots_of_the_schedule_the_same_name() {
    let policy = "[server]\nid = 7\n[[rotation]]\nname = \"db\"\nschedule = \"0 */6 * * *\"\nkeep = 3\n\
        snapshot_name = \"db-%Y-%m-%d-%H%M\"\nformer_names = [\"db-%Y-%m-%d\", \"old-%Y-%m-%d-%H\"]\n";
    let folder = ConfigFolder::new()
        .with("snaprotate.toml", MAIN)
        .with("policies.d/web.toml", policy);
    let former = &folder.good().policies[0].rotations[0].former;
    let coarse: Vec<_> = former.iter().map(|former| former.coarse).collect();
    assert_eq!(coarse, [true, false]);
}

#[test]
fn every_key_that_is_written_takes_effect() {
    let main = "[api]\nbase_url = \"http://127.0.0.1:8080/v1\"\ntoken_file = \"token\"\nsnapshot_limit = 4\n\
        connect_timeout = \"200ms\"\nrequest_timeout = \"90s\"\nmax_in_flight = 2\nrequests_per_second = 0\nmax_body = \"8KiB\"\n\
        [daemon]\nstate_dir = \"state\"\nretry_after = \"1m\"\n[audit]\ndir = \"trail\"\n\
        [defaults]\ntimezone = \"Europe/Malta\"\nattempts = 5\nformer_names = [\"{name}-%Y-%m-%d\"]\n";
    let policy = "[server]\nid = 7\nname = \"web\"\nprotect = [\"by-hand\", 801]\nmin_completed = 2\ndelete_stuck = true\n\
        [[rotation]]\nname = \"weekly\"\nschedule = \"0 3 * * Sun\"\nkeep = 3\nattempts = 1\nwhen_full = \"skip\"\n\
        catch_up = \"24h\"\ndescription = \"Weekly\"\nsnapshot_name = \"w-%Y%m%d\"\n";
    let folder = ConfigFolder::new()
        .with("snaprotate.toml", main)
        .with("policies.d/web.toml", policy);
    let config = folder.good();
    assert_eq!(config.api.base_url.as_str(), "http://127.0.0.1:8080/v1/");
    assert_eq!(config.api.token_file, Some(folder.path("token")));
    assert_eq!(config.api.connect_timeout, Duration::from_millis(200));
    assert_eq!(config.rules.request_timeout, SignedDuration::from_secs(90));
    assert_eq!((config.rules.limit, config.api.max_body), (4, 8192));
    assert!(config.api.requests_per_second.abs() < f64::EPSILON);
    assert_eq!(config.rules.retry_after, SignedDuration::from_mins(1));
    assert_eq!(config.state_dir, folder.path("state"));
    assert_eq!(config.audit_dir, folder.path("trail"));
    let policy = &config.policies[0];
    assert_eq!(
        (policy.file.as_str(), policy.server.clone()),
        ("web", ServerId::from(7))
    );
    assert_eq!(policy.name.as_deref(), Some("web"));
    assert!(
        policy.protected_names.contains("by-hand")
            && policy.protected_ids.contains(&SnapshotId::from(801))
    );
    assert_eq!((policy.min_completed, policy.delete_stuck), (2, true));
    let rotation = &policy.rotations[0];
    assert_eq!((rotation.attempts, rotation.when_full), (1, WhenFull::Skip));
    assert_eq!(rotation.catch_up, Some(SignedDuration::from_hours(24)));
    assert_eq!(rotation.description.as_deref(), Some("Weekly"));
    assert_eq!(rotation.pattern.to_string(), "w-%Y%m%d");
    let former = &rotation.former[0];
    assert_eq!(former.pattern.to_string(), "weekly-%Y-%m-%d");
    let slot = rotation
        .schedule
        .next("2026-11-24T00:00:00Z".parse().expect("time"))
        .expect("slot");
    assert_eq!(slot.at.to_string(), "2026-11-29T02:00:00Z");
}

#[test]
fn a_credential_that_every_user_can_read_is_refused() {
    let (folder, env) = credential();
    let token = folder.path().join("api-token");
    let files = ConfigFolder::new();
    for (mode, good) in [(0o440, true), (0o444, false), (0o404, false)] {
        std::fs::set_permissions(&token, Permissions::from_mode(mode)).expect("a mode");
        let loaded = load(&files.path("snaprotate.toml"), &env);
        assert_eq!(loaded.is_ok(), good, "{mode:o}");
    }
}

#[test]
fn the_credential_takes_precedence_over_the_token_file() {
    let (folder, mut env) = credential();
    env.state_directory = Some(PathBuf::from("/srv/state"));
    let files = ConfigFolder::new().without("token");
    let config = load(&files.path("snaprotate.toml"), &env).expect("good");
    assert_eq!(config.api.token_file, Some(folder.path().join("api-token")));
    assert!(config.api.token_is_credential);
    assert_eq!(config.state_dir, Path::new("/srv/state"));
}

#[test]
fn hidden_files_and_files_without_the_toml_extension_are_not_read_as_policies() {
    let folder = ConfigFolder::new()
        .with("policies.d/.web.toml", "x")
        .with("policies.d/web.toml~", "x")
        .with("policies.d/README", "x");
    assert_eq!(folder.good().policies.len(), 1);
}

#[test]
fn policies_are_sorted_by_server_and_share_their_schedules() {
    let folder = ConfigFolder::new()
        .with("policies.d/a.toml", POLICY.replace("id = 7", "id = 900"))
        .with("policies.d/b.toml", POLICY.replace("id = 7", "id = 3"));
    let policies = folder.good().policies;
    let ids: Vec<u64> = policies
        .iter()
        .map(|policy| policy.server.number().unwrap())
        .collect();
    assert_eq!(ids, [3, 7, 900]);
    let schedule = |nth: usize| &policies[nth].rotations[0].schedule;
    assert!(Arc::ptr_eq(schedule(0), schedule(1)) && Arc::ptr_eq(schedule(1), schedule(2)));
}

#[test]
fn a_splay_spreads_servers_by_stable_offsets() {
    let mut folder = ConfigFolder::new();
    for id in 100..200 {
        let policy = POLICY.replace("id = 7", &format!("id = {id}")) + "splay = \"10m\"\n";
        folder = folder.with(&format!("policies.d/{id}.toml"), policy);
    }
    let offsets = |config: Config| -> Vec<SignedDuration> {
        config.policies[1..]
            .iter()
            .map(|p| p.rotations[0].splay)
            .collect()
    };
    let first = offsets(folder.good());
    assert_eq!(first, offsets(folder.good()));
    let most = SignedDuration::from_mins(10);
    assert!(
        first
            .iter()
            .all(|offset| *offset >= SignedDuration::ZERO && *offset < most)
    );
    let early = first.iter().filter(|offset| **offset < most / 2).count();
    assert!(
        (30..=70).contains(&early),
        "{early} of 100 in the first half"
    );
}

#[test]
fn a_name_without_the_hour_is_enough_for_one_slot_a_day_in_every_zone() {
    for zone in [
        "UTC",
        "Europe/Paris",
        "Australia/Lord_Howe",
        "America/St_Johns",
    ] {
        for schedule in ["30 2 * * *", "0 3 29 2 *", "15 2 * * Sun", "0 30 2 * * *"] {
            let policy =
                POLICY.replace("0 3 * * Sun", schedule) + &format!("timezone = \"{zone}\"\n");
            let config = ConfigFolder::new()
                .with("policies.d/web.toml", policy)
                .good();
            assert!(
                config.warnings.is_empty(),
                "{schedule} in {zone}: {:?}",
                config.warnings
            );
        }
    }
}

#[test]
fn a_rotation_has_its_own_hooks_or_those_of_the_defaults() {
    let main = format!("{MAIN}[defaults.hooks]\nafter = [\"/bin/true\", \"all\"]\n");
    let own = "[rotation.hooks]\nbefore = [\"/bin/true\"]\ntimeout = \"5s\"\non_failure = \"continue\"\nrelease = \"accepted\"\nmax_hold = \"2h\"\n";
    let policy =
        format!("{POLICY}{own}[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n");
    let folder = ConfigFolder::new()
        .with("snaprotate.toml", main)
        .with("policies.d/web.toml", policy);
    let config = folder.good();
    let rotations = config.policies[0].rotations.iter();
    let hooks: Vec<_> = rotations
        .map(|r| r.hooks.as_deref().expect("hooks"))
        .collect();
    let own = Hooks {
        before: Some(vec!["/bin/true".to_owned()]),
        after: None,
        timeout: SignedDuration::from_secs(5),
        go_on: true,
        release: ReleaseWhen::Accepted,
        max_hold: SignedDuration::from_hours(2),
    };
    let all = Hooks {
        before: None,
        after: Some(vec!["/bin/true".to_owned(), "all".to_owned()]),
        timeout: SignedDuration::from_secs(60),
        go_on: false,
        release: ReleaseWhen::Completed,
        max_hold: SignedDuration::from_hours(1),
    };
    assert_eq!(hooks, [&own, &all]);

    // The hook runner reads one rotation only; errors elsewhere don't matter.
    let file = folder.path("snaprotate.toml");
    let folder = folder.with("policies.d/broken.toml", "x = [");
    for (rotation, wanted) in [("weekly", own), ("daily", all)] {
        let (hooks, server, called) = hooks_of(&file, "web", rotation).expect("hooks");
        assert_eq!(
            (&*hooks, server, called.as_str()),
            (&wanted, 7.into(), "web")
        );
    }
    for (policy, rotation, wanted) in [
        ("web", "monthly", "web.toml: monthly has no hooks"),
        ("mail", "weekly", "has no policy mail"),
        ("../web", "weekly", "has no policy ../web"),
    ] {
        let error = hooks_of(&file, policy, rotation).expect_err("refused");
        assert!(error.contains(wanted), "{error}");
    }
    drop(folder);
}

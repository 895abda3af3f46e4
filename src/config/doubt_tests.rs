//! Settings that are accepted but are probably a mistake: each gets a warning with a remedy. Also
//! the errors for an unknown placeholder and a missing key.

use super::cases::{case, prove};
use super::fixture::{ConfigFolder, MAIN, POLICY};

#[test]
fn each_doubtful_value_in_the_main_file_gets_a_warning_with_position_and_remedy() {
    // One case per line, so that the list reads as a table.
    #[rustfmt::skip]
    let cases = [
        case("[daemon]\nsettle_window = \"29s\"", "4:17: warning", "settle_window (29s) is shorter than request_timeout (30s)", "settle_window of 30s or more"),
        case("request_timeout = \"11m\"", "3:19: warning", "settle_window (10m) is shorter than request_timeout (11m)", "a shorter request_timeout"),
        case("request_timeout = \"90s\"\n[daemon]\nsettle_window = \"1m\"", "5:17: warning", "settle_window (1m) is shorter than request_timeout (90s)", "90s or more"),
        case("[daemon]\nstuck_after = \"599s\"", "4:15: warning", "stuck_after (599s) is below the 3 to 10 minutes", "stuck_after = \"1h\""),
        case("snapshot_limit = 6", "3:18: warning", "snapshot_limit (6) is above the 5 that the provider documents", "snapshot_limit = 5"),
        case("[daemon]\nretry_after = \"61m\"", "4:15: warning", "retry_after (61m) is above an hour", "retry_after = \"1h\""),
    ];
    prove("snaprotate.toml", MAIN, &cases);
}

#[test]
fn a_before_hook_without_an_after_hook_gets_a_warning_at_its_line() {
    let server = "[server]\nid = 7\n[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n";
    // One case per line, so that the list reads as a table.
    #[rustfmt::skip]
    let cases = [
        case("[rotation.hooks]\nbefore = [\"/bin/true\"]", "8:11: warning", "before without after: nothing releases", "write after = ["),
    ];
    prove("policies.d/web.toml", server, &cases);
    let both = "[rotation.hooks]\nbefore = [\"/bin/true\"]\nafter = [\"/bin/true\"]\n";
    let folder = ConfigFolder::new().with("policies.d/web.toml", format!("{server}{both}"));
    assert_eq!(folder.said(), Vec::<String>::new());
}

#[test]
fn values_exactly_at_the_limits_get_no_warning() {
    let edge = "snapshot_limit = 5\nrequest_timeout = \"30s\"\n[daemon]\nsettle_window = \"30s\"\n\
        stuck_after = \"10m\"\nretry_after = \"1h\"\n";
    let folder = ConfigFolder::new().with("snaprotate.toml", format!("{MAIN}{edge}"));
    assert_eq!(folder.said(), Vec::<String>::new());
}

#[test]
fn each_unread_entry_of_the_policies_folder_gets_a_warning_that_names_it() {
    for name in [
        "web",
        "web.toml~",
        "web.swp",
        "web.toml.dpkg-old",
        "web.toml.rpmsave",
        "web.bak",
        "web.tml",
    ] {
        let name = format!("policies.d/{name}");
        let said = ConfigFolder::new().with(&name, POLICY).said();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with(&format!("{name}:1:1: warning: ")),
            "{said:?}"
        );
        assert!(
            said[0].ends_with("; rename it to ….toml, or move it elsewhere"),
            "{said:?}"
        );
    }
    let folder = ConfigFolder::new()
        .with("policies.d/.web.toml.swp", "x")
        .with("policies.d/db.toml.example", "x");
    std::fs::create_dir(folder.path("policies.d/.git")).expect("a folder");
    assert_eq!(
        folder.said(),
        Vec::<String>::new(),
        "hidden entries and examples are ignored"
    );
    std::fs::create_dir(folder.path("policies.d/old")).expect("a folder");
    let said = folder.said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("policies.d/old:1:1: warning: a folder"),
        "{said:?}"
    );
    assert_eq!(
        folder.good().policies.len(),
        1,
        "the files are accepted despite the warning"
    );
}

#[test]
fn a_min_completed_that_leaves_nothing_to_prune_gets_a_warning() {
    let policy = |least: usize, keep: usize| {
        let policy = POLICY
            .replace("id = 7", &format!("id = 7\nmin_completed = {least}"))
            .replace("keep = 3", &format!("keep = {keep}"));
        ConfigFolder::new().with("policies.d/web.toml", policy)
    };
    let at = "policies.d/web.toml:3:17: warning: ";
    let said = policy(4, 3).said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(at)
            && said[0]
                .contains("min_completed (4) leaves nothing to prune, since keep adds up to 3"),
        "{said:?}"
    );
    assert!(
        said[0].ends_with("write min_completed = 2, or a higher keep"),
        "{said:?}"
    );
    // Own snapshots fill the whole limit, and none of them may be deleted.
    let said = policy(5, 5).said();
    assert!(
        said[0].starts_with(at) && said[0].contains("min_completed (5)"),
        "{said:?}"
    );
    assert_eq!(
        said.len(),
        2,
        "a keep that takes up all the room gets its own warning: {said:?}"
    );
    // No warning: only foreign snapshots could fill this server.
    assert_eq!(policy(3, 3).said(), Vec::<String>::new());
    assert_eq!(policy(1, 1).said(), Vec::<String>::new());
}

#[test]
fn the_error_for_an_unknown_placeholder_names_the_only_valid_one() {
    let policy = |pattern: &str| format!("{POLICY}snapshot_name = \"{pattern}\"\n");
    for (pattern, shown) in [
        ("{nam}-%Y-%m-%d", "{nam}"),
        ("a-{}-%Y", "{}"),
        ("{name-%Y", "{name-%Y"),
    ] {
        let said = ConfigFolder::new()
            .with("policies.d/web.toml", policy(pattern))
            .said();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("policies.d/web.toml:8:17: error: "),
            "{said:?}"
        );
        assert!(
            said[0].contains(&format!("unknown placeholder {shown};")),
            "{said:?}"
        );
        assert!(
            said[0].ends_with("; the only placeholder is {name}"),
            "{said:?}"
        );
    }
}

#[test]
fn a_missing_key_is_reported_at_the_header_of_its_table() {
    let policy = "# web\n\n[server]\nname = \"web\"\n\n[[rotation]]\nname = \"w\"\nschedule = \"@daily\"\nkeep = 1\n\n  [[rotation]]\nname = \"v\"\nschedule = \"@daily\"\n";
    let folder = ConfigFolder::new().with("policies.d/web.toml", policy);
    let said = folder.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("policies.d/web.toml:3:1: error: id is missing"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("policies.d/web.toml:11:3: error: keep is missing"),
        "{said:?}"
    );
    let report = folder.problems().render(false);
    for line in ["3 | [server]\n", "11 |   [[rotation]]\n"] {
        assert!(report.contains(line), "{report}");
    }
}

#[test]
fn a_name_pattern_without_a_word_of_its_own_gets_a_warning_at_its_line() {
    for (key, at) in [
        ("snapshot_name = \"%Y-%m-%d\"", 17),
        ("former_names = [\"%Y%m%d\"]", 17),
    ] {
        let policy = format!("{POLICY}{key}\n");
        let line = policy.trim_end().lines().count();
        let said = ConfigFolder::new()
            .with("policies.d/web.toml", policy)
            .said();
        assert_eq!(said.len(), 1, "{said:?}");
        let place = format!("policies.d/web.toml:{line}:{at}: warning: name pattern");
        assert!(said[0].starts_with(&place), "{place}: {said:?}");
        assert!(said[0].contains("has no word of its own"), "{said:?}");
    }
}

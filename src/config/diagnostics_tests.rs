//! The form of a report. No content of a file can prevent a report.

use super::fixture::{ConfigFolder, MAIN, POLICY};

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let folder = ConfigFolder::new()
        .with(
            "snaprotate.toml",
            format!("{MAIN}max_in_flight = 0\nbase_url = \"x\"\n[damon]\n"),
        )
        .with(
            "policies.d/a.toml",
            POLICY.replace("keep = 3", "keep = 0\nsplay = 5"),
        )
        .with("policies.d/b.toml", "[server\n")
        .with(
            "policies.d/c.toml",
            POLICY.replace("id = 7", "id = 9").replace("Sun", "Son"),
        );
    let said = folder.said();
    let places: Vec<&str> = said
        .iter()
        .filter_map(|line| line.split(": error").next())
        .collect();
    let wanted = [
        "snaprotate.toml:3:17",
        "snaprotate.toml:4:12",
        "snaprotate.toml:5:2",
        "policies.d/a.toml:7:8",
        "policies.d/a.toml:8:9",
        "policies.d/b.toml:1:8",
        "policies.d/c.toml:6:12",
        "policies.d/web.toml:2:6",
    ];
    assert_eq!(places, wanted, "{said:#?}");
    assert!(
        folder
            .problems()
            .render(false)
            .ends_with("8 problems in 5 files")
    );
}

#[test]
fn warnings_are_counted_separately_from_problems() {
    let folder = ConfigFolder::new()
        .with("policies.d/a.toml", POLICY.replace("keep = 3", "keep = 0"))
        .with("policies.d/b.txt", "");
    let problems = folder.problems();
    assert_eq!(problems.0.len(), 3, "{problems}");
    let report = problems.render(false);
    assert!(
        report.ends_with("2 problems, 1 warning in 3 files"),
        "{report}"
    );
}

#[test]
fn a_report_shows_the_line_and_what_to_write() {
    let folder = ConfigFolder::new().with(
        "policies.d/web.toml",
        POLICY.replace("keep = 3", "keep = 0 # none"),
    );
    let report = folder.problems().render(false);
    let prefix = format!("{}/", folder.0.path().display());
    let wanted = "\
error: keep must be at least 1
 --> policies.d/web.toml:7:8
  |
7 | keep = 0 # none
  |        ^
  |
  = help: write keep = 1, or remove the whole rotation

1 problem in 1 file";
    assert_eq!(report.replace(&prefix, ""), wanted);
    assert!(folder.problems().render(true).contains("\u{1b}["));
}

#[test]
fn a_broken_main_file_does_not_hide_problems_in_the_policies() {
    let folder = ConfigFolder::new().with("snaprotate.toml", "[api\n").with(
        "policies.d/web.toml",
        POLICY.replace("keep = 3", "keep = 0"),
    );
    let said = folder.said();
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn text_of_the_files_cannot_forge_lines_of_the_report() {
    let folder = ConfigFolder::new().with(
        "policies.d/web.toml",
        format!("{POLICY}\"a\\n\\u001b[2J\\u202e\" = 1\n"),
    );
    let problems = folder.problems();
    let text = problems.to_string() + &problems.render(false);
    assert_eq!(problems.to_string().lines().count(), 1);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn deep_nesting_is_an_error_rather_than_a_crash() {
    let deep = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("{}a = 1\n", "a.".repeat(100_000));
    for text in [deep, dotted] {
        let folder = ConfigFolder::new().with("policies.d/web.toml", text);
        assert!(folder.load().is_err());
    }
}

#[test]
fn a_line_with_terminal_control_characters_is_named_but_not_shown() {
    for odd in ["\u{9b}31m", "\u{202e}", "\u{2028}x"] {
        let text = POLICY.replace("keep = 3", &format!("keep = 0 # {odd}"));
        let report = ConfigFolder::new()
            .with("policies.d/web.toml", text)
            .problems()
            .render(false);
        assert!(!report.contains(odd), "{report:?}");
        assert!(report.contains("web.toml:7:8"), "{report}");
    }
    let tab = POLICY.replace("keep = 3", "keep = 0\t# none");
    let report = ConfigFolder::new()
        .with("policies.d/web.toml", tab)
        .problems();
    assert!(report.render(false).contains("# none"));
}

#[test]
fn a_problem_stays_on_one_line_whatever_the_file_contains() {
    let text = format!("{MAIN}[daemon]\npolicies = \"a\u{2028}b\"\n");
    let said = ConfigFolder::new().with("snaprotate.toml", text).said();
    assert!(said[0].contains("a\\u{2028}b can't be read"), "{said:?}");
}

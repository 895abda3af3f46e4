//! `forecast` by the real binary: policies in, text, JSON and a picture out, and no network.

use crate::support::{self, Home, stderr, stdout};
use serde_json::Value;

/// Connections to this port are refused, so a command that sends a request fails.
const NOBODY: &str = "http://127.0.0.1:9/api/v1";

/// Uses a zone without summer time, so that no night of 25 hours becomes the worst case.
const WEB: &str = "
[server]
id = 12345
name = \"web-01\"
[[rotation]]
name = \"weekly\"
schedule = \"0 3 * * Sun\"
timezone = \"Asia/Tokyo\"
keep = 2
[[rotation]]
name = \"daily\"
schedule = \"30 2 * * *\"
timezone = \"Asia/Tokyo\"
keep = 2
";

fn home() -> Home {
    let home = Home::new(NOBODY, "", "");
    home.policy("web", WEB);
    home.daily(7, 3, "");
    home
}

/// Asserts success, and returns the output.
fn good(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    stderr(&output)
}

fn json(home: &Home, args: &[&str]) -> Value {
    let args = [&["forecast", "--json"], args].concat();
    serde_json::from_str(&good(home, &args)).expect("JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

#[test]
fn the_text_fits_80_columns_and_names_zone_days_and_worst_moments() {
    let home = home();
    let text = good(&home, &["forecast", "--server", "web-01"]);
    for words in [
        "web-01 (id 12345), ",
        " Asia/Tokyo\nIf this policy",
        "If this policy had always been in force; what is there now:\nsnaprotate status web\n",
        "lost at most  reaches back at least",
        "At worst within 28 days:\n  lost at most 1 d of work (",
        "\n  reaches back at least 7 d (",
        "← most lost",
        "Better with as many snapshots: weekly keep 3, daily keep 1\n",
        "\n  reaches back at least 14 d instead of 7 d\n",
        "at the end of",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    assert!(
        !text.contains("server-7"),
        "only the requested server: {text}"
    );
    let long = |word: &str| format!("{word}-of-the-database-that-holds-the-accounts");
    let wide = WEB.replace("12345", "8").replace("web-01", "wide");
    let wide = wide.replace("weekly", &long("weekly"));
    home.policy("wide", &wide.replace("daily", &long("daily")));
    let wrapped = good(&home, &["forecast", "--server", "wide"]);
    for text in [text, wrapped] {
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{text}");
    }
}

#[test]
fn json_holds_every_day_and_never_more_snapshots_than_are_kept() {
    let home = home();
    let found = json(&home, &["--days", "10"]);
    let [seven, web] = list(&found["servers"]) else {
        panic!("two servers: {found}");
    };
    assert_eq!((&seven["id"], &web["id"]), (&7.into(), &12345.into()));
    assert_eq!(web["zone"], "Asia/Tokyo");
    assert_eq!(list(&web["days"]).len(), 10);
    for day in list(&web["days"]) {
        assert_eq!(list(&day["snapshots"]).len(), 4, "{day}");
    }
    let worst = &web["recovery"]["newest"]["worst"];
    assert_eq!(worst["age_seconds"], 86_415, "a day, and one look");
    let worst: jiff::Timestamp = worst["at"].as_str().expect("text").parse().expect("a time");
    assert!(worst > jiff::Timestamp::now());
}

#[test]
fn a_server_is_found_by_id_name_or_file_and_similar_names_are_suggested_for_an_unknown_name() {
    let home = home();
    for server in ["12345", "web-01", "web"] {
        let found = json(&home, &["--days", "1", "--server", server]);
        assert_eq!(found["servers"][0]["id"], 12345, "{server}");
        assert_eq!(list(&found["servers"]).len(), 1, "{server}");
    }
    let said = refused(&home, &["forecast", "--server", "wbe-01"]);
    assert!(said.contains("no policy for server wbe-01"), "{said}");
    assert!(said.contains("similar: web-01"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = refused(&home, &["plan", "--server", "wbe-01"]);
    assert!(said.contains("similar: web-01"), "plan says so too: {said}");
    let said = refused(&home, &["forecast", "--server", "mail"]);
    assert!(!said.contains("similar: "), "{said}");
}

#[test]
fn days_out_of_range_and_a_broken_policy_end_with_exit_code_2() {
    let home = home();
    let said = refused(&home, &["forecast", "--days", "0"]);
    assert!(said.contains("1..=3660"), "{said}");
    home.policy("broken", "[server]\n");
    let said = refused(&home, &["forecast"]);
    assert!(said.contains("broken.toml"), "{said}");
}

#[test]
fn the_picture_is_well_formed_and_has_a_dot_and_a_line_for_each_snapshot() {
    let home = home();
    home.policy(
        "odd",
        "[server]\nid = 9\nname = \"<a & \\\"b\\\">\"\n[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n",
    );
    let file = home.path("f.svg");
    let file = file.to_str().expect("text");
    let found = json(&home, &["--days", "9", "--svg", file]);
    let svg = std::fs::read_to_string(file).expect("written");
    let servers = list(&found["servers"]).iter();
    let snapshots: usize = servers.map(|server| list(&server["snapshots"]).len()).sum();
    assert!(snapshots > 20, "{snapshots}");
    // The name of each rotation has a dot of its colour too.
    let rotations = svg.matches("<g class=\"r").count();
    assert_eq!(svg.matches("<circle ").count(), snapshots + rotations);
    assert_eq!(svg.matches("class=\"life\"").count(), snapshots);
    assert!(svg.contains("&lt;a &amp; &quot;b&quot;&gt;"), "{svg}");
    for part in ["<title id=", "<desc id=", "prefers-color-scheme: dark"] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("<script"));
    well_formed(&svg);
}

/// Asserts that every tag is closed in order and no bare `>` or `&` is left. This picture uses no
/// more of XML.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "a bare > in {before:?}");
        let (tag, after) = after.split_once('>').expect("a closed tag");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in <{tag}>");
        let name = tag.split([' ', '/']).next().expect("a name");
        match tag.strip_prefix('/') {
            Some(end) => assert_eq!(open.pop(), Some(end)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
        rest = after;
    }
    assert!(
        open.is_empty() && rest.trim().is_empty(),
        "{open:?} {rest:?}"
    );
    for entity in svg.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"];
        assert!(
            known.iter().any(|word| entity.starts_with(word)),
            "&{entity:.9}"
        );
    }
}

#[test]
fn a_picture_that_can_t_be_written_is_reported_in_one_line() {
    let home = home();
    let said = refused(&home, &["forecast", "--svg", "/nowhere/at/all.svg"]);
    assert!(said.contains("/nowhere/at/all.svg"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn against_a_draft_policy_only_its_server_and_the_differences_are_shown() {
    let home = home();
    let draft = home.path("draft.toml");
    let text = WEB.replacen("keep = 2", "keep = 1", 1);
    std::fs::write(&draft, support::ids::policy(&text)).expect("written");
    let draft = draft.to_str().expect("text");
    let text = good(&home, &["forecast", "--days", "9", "--against", draft]);
    assert!(text.contains("web-01 (id 12345)"), "{text}");
    assert!(!text.contains("server-7"), "{text}");
    assert!(text.contains("no longer there"), "{text}");
    let weekly = text.lines().find(|line| line.trim().starts_with("weekly"));
    let ages: Vec<_> = weekly.expect("a row").split_whitespace().collect();
    assert_eq!(ages, ["weekly", "7", "d", "7", "d", "7", "d", "15", "s"]);
    let said = refused(&home, &["forecast", "server-7", "--against", draft]);
    assert!(
        said.contains("draft.toml is for web-01, not for server-7"),
        "{said}"
    );
    let found = json(&home, &["--days", "9", "--against", draft]);
    let days = list(&found["servers"][0]["days"]);
    assert_eq!(days.len(), 9);
    for day in days {
        let lost = list(&day["lost"]);
        assert_eq!(lost.len(), 1, "{day}");
        assert!(lost[0].as_str().expect("text").starts_with("weekly-"));
        assert!(list(&day["gained"]).is_empty());
    }
    let same = home.path("policies.d/web.toml");
    let same = same.to_str().expect("text");
    let text = good(&home, &["forecast", "--against", same]);
    assert!(text.contains("the same with"), "{text}");
}

#[test]
fn days_that_lose_snapshots_of_the_same_rotation_and_ages_share_one_row() {
    let home = home();
    let draft = home.path("draft.toml");
    let fewer =
        "[server]\nid = 7\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 1\n";
    std::fs::write(&draft, support::ids::policy(fewer)).expect("written");
    let draft = draft.to_str().expect("text");
    let text = good(&home, &["forecast", "--against", draft]);
    let (_, days) = text.split_once("no longer there").expect("the days");
    let rows: Vec<_> = days.lines().skip(1).collect();
    assert!(rows.len() < 4, "{text}");
    assert!(days.contains("daily (days before: 2, 1)"), "{text}");
}

#[test]
fn against_another_main_file_added_and_removed_servers_are_shown() {
    let (home, other) = (home(), Home::new(NOBODY, "", ""));
    other.policy("web", WEB);
    other.daily(8, 1, "");
    let main = other.path("snaprotate.toml");
    let main = main.to_str().expect("text");
    let text = good(&home, &["forecast", "--days", "3", "--against", main]);
    assert!(text.contains("server-7 (id 7)"), "{text}");
    assert!(text.contains("\nno policy with "), "{text}");
    assert!(text.contains("No policy now; "), "{text}");
    assert!(text.contains("the same with "), "{text}");
    let only = ["forecast", "--against", main, "--server", "server-8"];
    let text = good(&home, &only);
    assert!(!text.contains("web-01"), "{text}");
    let said = refused(&home, &["forecast", "--against", "/nowhere.toml"]);
    assert!(said.contains("/nowhere.toml"), "{said}");
}

#[test]
fn more_than_twenty_servers_have_one_line_each() {
    let home = home();
    for id in 100..120 {
        home.daily(id, 1, "");
    }
    let text = good(&home, &["forecast"]);
    assert!(text.starts_with("22 servers from "), "{text}");
    let rows = text.lines().skip(4);
    assert_eq!(rows.count(), 22, "{text}");
    let row = text.lines().find(|line| line.starts_with("web-01 "));
    let row: Vec<_> = row.expect("a row").split_whitespace().collect();
    assert_eq!(row, ["web-01", "12345", "1", "d", "7", "d"]);
    let full = good(&home, &["forecast", "--server", "110", "--days", "2"]);
    assert!(full.contains("at the end of"), "{full}");
}

#[test]
fn a_rotation_that_runs_less_than_weekly_is_forecast_for_a_year() {
    let home = Home::new(NOBODY, "", "");
    home.policy(
        "m",
        "[server]\nid = 7\n[[rotation]]\nname = \"monthly\"\nschedule = \"0 3 1 * *\"\nkeep = 3\n",
    );
    let text = good(&home, &["forecast"]);
    assert!(
        text.contains("At worst within 366 days:\n  lost at most 31 d "),
        "{text}"
    );
    assert!(
        text.ends_with("The first 28 of 366 days; --days 366 shows all.\n"),
        "{text}"
    );
    assert!(text.lines().count() < 40, "{text}");
    assert_eq!(list(&json(&home, &[])["servers"][0]["days"]).len(), 366);
}

#[test]
fn a_rotation_that_never_gets_room_is_reported_as_blocked() {
    let home = Home::new(NOBODY, "", "");
    home.daily(7, 5, "when_full = \"skip\"");
    let text = good(&home, &["forecast", "--days", "4"]);
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("Blocked 3 times, first "), "{text}");
    assert!(
        text.contains("the server is full, and daily doesn't prune first"),
        "{text}"
    );
}

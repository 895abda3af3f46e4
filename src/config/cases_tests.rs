//! Files with mistakes, each with the location, message and remedy that must be reported.

use super::fixture::{ConfigFolder, MAIN, POLICY};

/// An invalid text, the location of its problem, and a part of the message and of the remedy.
pub(super) struct Case {
    text: &'static str,
    at: &'static str,
    message: &'static str,
    remedy: &'static str,
}

pub(super) const fn case(
    text: &'static str,
    at: &'static str,
    message: &'static str,
    remedy: &'static str,
) -> Case {
    Case {
        text,
        at,
        message,
        remedy,
    }
}

/// Asserts that each case reports exactly one problem, at exactly that location.
pub(super) fn prove(name: &str, before: &str, cases: &[Case]) {
    for case in cases {
        let folder = ConfigFolder::new().with(name, format!("{before}{}", case.text));
        let said = folder.said();
        assert_eq!(said.len(), 1, "{}\n{said:#?}", case.text);
        let shown = &said[0];
        let wanted = format!("{name}:{}", case.at);
        assert!(shown.starts_with(&wanted), "{wanted} but {shown}");
        let (message, remedy) = shown.split_once("; ").expect("a remedy");
        assert!(
            message.contains(case.message),
            "{} but {shown}",
            case.message
        );
        assert!(remedy.contains(case.remedy), "{} but {shown}", case.remedy);
    }
}

#[test]
fn invalid_main_files_are_refused_with_location_and_remedy() {
    // One case per line, so that the list reads as a table.
    #[rustfmt::skip]
    let cases = [
        case("base_url = https://x", "3:12: error", "not TOML", "strings in double quotes"),
        case("max_in_flight = 1\nmax_in_flight = 2", "4:1: error", "duplicate key", "keep one"),
        case("base_urls = \"https://x\"", "3:1: error", "unknown key \"base_urls\" in [api]", "did you mean base_url?"),
        case("colour = 1", "3:1: error", "unknown key \"colour\"", "use one of base_url"),
        case("[damon]\n", "3:2: error", "unknown key \"damon\"", "did you mean daemon?"),
        case("max_in_flight = \"8\"", "3:17: error", "must be a whole number, not a string", "without quotes"),
        case("max_in_flight = 0", "3:17: error", "max_in_flight must be at least 1", "such as 5"),
        case("snapshot_limit = 0", "3:18: error", "snapshot_limit must be at least 1", "such as 5"),
        case("snapshot_limit = 101", "3:18: error", "snapshot_limit (101) is above 100, the longest listing of one server", "100 or less"),
        case("snapshot_limit = -5", "3:18: error", "-5 is negative", "such as 3"),
        case("requests_per_second = -1", "3:23: error", "must not be negative", "0 for no limit"),
        case("requests_per_second = inf", "3:23: error", "inf is not a rate", "0 for no limit"),
        case("request_timeout = 30", "3:19: error", "must be a duration in a string, not a whole number", "\"90s\""),
        case("request_timeout = \"30 sec\"", "3:19: error", "\"30 sec\" is not a duration", "\"24h\""),
        case("connect_timeout = \"0s\"", "3:19: error", "longer than 0s", "\"30s\""),
        case("request_timeout = \"99999d\"", "3:19: error", "longer than ten years", "shorter"),
        case("max_body = \"64MB\"", "3:12: error", "\"64MB\" is not a size", "\"64MiB\""),
        case("max_body = \"0B\"", "3:12: error", "more than 0", "\"64MiB\""),
        case("base_url = \"http://admin.vps.org/api/v1\"", "3:12: error", "unencrypted", "https://"),
        case("base_url = \"http://127.0.0.1.example.org\"", "3:12: error", "unencrypted", "https://"),
        case("base_url = \"ftp://vps.org\"", "3:12: error", "not a web address", "base_url = "),
        case("base_url = \"admin.vps.org\"", "3:12: error", "not a URL", "base_url = "),
        case("base_url = \"https://vps.org/?a=b\"", "3:12: error", "no '?'", "base_url = "),
        case("ca_file = \"ca.pem\"", "3:11: error", "no such file", "PEM file"),
        case("ca_file = \"token\"", "3:11: error", "holds no PEM certificate", "PEM file"),
        case("[hooks]\nbefore = \"x\"", "3:2: error", "hooks belong to a rotation", "[defaults.hooks]"),
        case("[defaults.hooks]\ntimeout = \"1m\"", "3:1: error", "neither before nor after", "before = "),
        case("[daemon]\npolicies = \"elsewhere\"", "4:12: error", "elsewhere can't be read: no such file", "create the folder"),
        case("[daemon]\npoll_interval = \"0s\"", "4:17: error", "longer than 0s", "default"),
        case("[[daemon]]\n", "3:1: error", "daemon must be a table, not a list", "write [daemon]"),
        case("[defaults]\nkeep = 3", "4:1: error", "have no default", "each [[rotation]]"),
        case("[defaults]\nattempts = 0", "4:12: error", "attempts must be at least 1", "attempts = 1"),
        case("[defaults]\nsnapshot_name = \"x\"", "4:17: error", "no date in it", "add %Y-%m-%d"),
        case("[[rotation]]\nname = \"x\"", "3:3: error", "belong in a policy file", "move it"),
    ];
    prove("snaprotate.toml", MAIN, &cases);
}

#[test]
fn invalid_servers_are_refused_with_location_and_remedy() {
    let rotation = "[[rotation]]\nname = \"weekly\"\nschedule = \"0 3 * * Sun\"\nkeep = 3\n";
    // One case per line, so that the list reads as a table.
    #[rustfmt::skip]
    let cases = [
        case("", "1:1: error", "[server] is missing", "id = 12345"),
        case("[server]\n", "5:1: error", "id is missing in [server]", "write id = 12345"),
        case("[server]\nid = x", "6:6: error", "not TOML: the value of id is neither in quotes nor a number", "a number, such as id = 5"),
        case("[server]\nid = 7\nname = full", "7:8: error", "not TOML: the value of name", "in double quotes: name = "),
        case("[server]\nid = 0", "6:6: error", "id must be positive", "id = 12345"),
        case("[server]\nid = -7", "6:6: error", "id: -7 is negative", "whole number"),
        case("[server]\nid = \"7 8\"", "6:6: error", "an id is a whole number, or 1 to 64 printable characters without spaces", "write the provider's id of the server"),
        case("[server]\nid = 7\nname = \"\"", "7:8: error", "name: it is empty", "remove the key"),
        case("[server]\nid = 7\nprotect = [1.5]", "7:12: error", "names or ids, in strings, or ids as whole numbers, not a decimal number", "801"),
        case("[server]\nid = 7\nprotect = \"x\"", "7:11: error", "protect must be a list, not a string", "write protect = [\"weekly-snapshot-2025-01-08\", 801]"),
        case("[server]\nid = 7\nmin_completed = 0", "7:17: error", "min_completed must be at least 1", "min_completed = 1"),
        case("[server]\nid = 7\nmin_completed = 6", "7:17: error", "min_completed (6) is above the 5", "5 or less"),
        case("[server]\nid = 7\ndelete_stuck = 1", "7:16: error", "must be true or false", "without quotes"),
        case("[sever]\nid = 7\n", "5:2: error", "unknown key \"sever\" in this file, which lacks server", "did you mean server?"),
        case("[server]\nidd = 7\n", "6:1: error", "unknown key \"idd\" in [server], which lacks id", "did you mean id?"),
        case("[server]\nid = 7\nprotct = []", "7:1: error", "unknown key \"protct\"", "did you mean protect?"),
        case("[[server]]\nid = 7", "5:1: error", "server must be a table, not a list", "write [server]"),
        case("[server]\nid = 7\n[protect]\nnames = []", "7:2: error", "belongs to the server", "below [server]"),
    ];
    prove("policies.d/web.toml", rotation, &cases);
}

#[test]
fn mistakes_in_rotations_are_reported_with_location_and_remedy() {
    let server = "[server]\nid = 7\n";
    // One case per line, so that the list reads as a table.
    #[rustfmt::skip]
    let cases = [
        case("", "1:1: error", "has no rotation", "[[rotation]]"),
        case("[rotation]\nname = \"weekly\"", "3:1: error", "rotation must be a list of tables, not a table", "two brackets"),
        case("[[rotation]]\nschedule = \"@daily\"\nkeep = 1", "3:1: error", "name is missing in [[rotation]]", "name = \"weekly\""),
        case("[[rotation]]\nname = \"d\"\nshedule = \"@daily\"\nkeep = 1", "5:1: error", "unknown key \"shedule\" in [[rotation]], which lacks schedule", "did you mean schedule?"),
        case("[[rotation]]\nname = \"d\"\nkeep = 1", "3:1: error", "schedule is missing", "0 3 * * Sun"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"", "3:1: error", "keep is missing", "keep = 3"),
        case("[[rotation]]\nname = \"a b\"\nschedule = \"@daily\"\nkeep = 1", "4:8: error", "letters, digits", "name = \"weekly\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 0", "6:8: error", "keep must be at least 1", "keep = 1"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 6", "6:8: error", "keep adds up to 6 over the rotations, but a server may hold 5", "keep = 5 or less"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 3\n[[rotation]]\nname = \"w\"\nschedule = \"@weekly\"\nkeep = 3", "10:8: error", "keep adds up to 6", "keep = 2 or less"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"61 3 * * *\"\nkeep = 1", "5:12: error", "schedule \"61 3 * * *\": the minute \"61\"", "0 to 59"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"daily\"\nkeep = 1", "5:12: error", "schedule \"daily\"", "@daily"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\ntimezone = \"Europe/Mata\"", "7:12: error", "no time zone \"Europe/Mata\"", "did you mean \"Europe/Malta\"?"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsnapshot_name = \"d %Y-%m-%d\"", "7:17: error", "' ' is not allowed", "letters, digits"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsnapshot_name = \"d-%F\"", "7:17: error", "unknown field '%F'", "use %Y, %m, %d"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsnapshot_name = \"d-%m-%d\"", "7:17: error", "%m without %Y", "add %Y"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsnapshot_name = \"d-%Y-%m\"", "7:17: error", "two slots with the same name", "snapshot_name = \"d-%Y-%m-%d\""),
        case("[[rotation]]\nname = \"h\"\nschedule = \"@hourly\"\nkeep = 1", "5:12: error", "two slots with the same name", "h-snapshot-%Y-%m-%d-%H%M\""),
        case("[[rotation]]\nname = \"h\"\nschedule = \"*/30 3 * * *\"\nkeep = 1\nsnapshot_name = \"h-%Y%m%d-%H\"", "7:17: error", "both named h-20240101-03", "h-%Y%m%d-%H%M\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nformer_names = [\"d-%Y\", \"daily\"]", "7:25: error", "\"daily\": no date in it", "add %Y-%m-%d"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\ncatch_up = \"1w\"", "7:12: error", "\"1w\" is not a duration", "\"7d\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\ncatch_up = \"0s\"", "7:12: error", "would run no slot", "\"24h\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\ncatch_up = \"10m\"\nsplay = \"10m\"", "8:9: error", "splay (10m) must be shorter than catch_up (10m)", "shorter splay"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsplay = \"24h\"", "7:9: error", "splay (1d) must be shorter than the 1d between two slots", "shorter than 1d"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nattempts = 0", "7:12: error", "attempts must be at least 1", "attempts = 1"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nwhen_full = \"prune\"", "7:13: error", "unknown value \"prune\"", "\"prune-first\" or \"skip\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nretain = 3", "7:1: error", "unknown key \"retain\" in [[rotation]]", "use one of name, schedule, keep"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nbefore = \"stop\"", "7:1: error", "hooks belong in a table of their own", "[rotation.hooks]"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\ntimeout = \"1m\"", "7:1: error", "hooks has neither before nor after", "before = "),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = []", "7:1: error", "before is empty", "/usr/local/sbin/freeze"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nafter = []", "7:1: error", "after is empty", "/usr/local/sbin/thaw"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = \"/bin/true\"", "8:10: error", "before must be a list, not a string", "write before = ["),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"freeze\"]\nafter = [\"/bin/true\"]", "8:11: error", "before \"freeze\" is not an absolute path", "full path, from /"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nafter = [\"/nowhere/thaw\"]", "8:10: error", "after /nowhere/thaw does not exist", "name an existing program"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\ntimeout = \"0s\"\nafter = [\"/bin/true\"]", "9:11: error", "timeout must be longer than 0s", "\"60s\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\nmax_hold = \"0s\"\nafter = [\"/bin/true\"]", "9:12: error", "max_hold must be longer than 0s", "\"60s\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\nmax_hold = \"1m\"\nafter = [\"/bin/true\"]", "9:12: error", "max_hold (1m) must be longer than timeout (1m)", "longer max_hold"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\non_failure = \"go\"\nafter = [\"/bin/true\"]", "9:14: error", "unknown value \"go\"", "\"stop\" or \"continue\""),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\nrelease = \"complete\"\nafter = [\"/bin/true\"]", "9:11: error", "unknown value \"complete\"", "did you mean \"completed\"?"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[rotation.hooks]\nbefore = [\"/bin/true\"]\nshell = true\nafter = [\"/bin/true\"]", "9:1: error", "unknown key \"shell\" in [rotation.hooks]", "use one of before, after"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[[rotation]]\nname = \"d\"\nschedule = \"@weekly\"\nkeep = 1", "8:8: error", "two rotations are named \"d\"", "its own name"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\nsnapshot_name = \"s-%Y-%m-%d\"\n[[rotation]]\nname = \"w\"\nschedule = \"@weekly\"\nkeep = 1\nsnapshot_name = \"s-%Y-%m-%d\"", "9:8: error", "rotations d and w could give the same name", "a word of its own"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 1\n[[rotation]]\nname = \"w\"\nschedule = \"@weekly\"\nkeep = 1\nformer_names = [\"d-snapshot-%Y-%m-%d\"]", "8:8: error", "rotations d and w could give the same name", "a word of its own"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"@daily\"\nkeep = 5", "6:8: warning", "all 5 places", "lower one keep"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"*/5 3 * * *\"\nkeep = 1\nsnapshot_name = \"d-%Y%m%d-%H%M\"", "5:12: warning", "only 5m apart", "ten minutes"),
        case("[[rotation]]\nname = \"d\"\nschedule = \"0 0 30 2 *\"\nkeep = 1", "5:12: warning", "never fires", "a day that exists"),
    ];
    prove("policies.d/web.toml", server, &cases);
}

#[test]
fn an_invalid_token_file_is_refused_at_the_line_that_names_it() {
    let at = "snaprotate.toml:2:14: error: the token file ";
    let cases = [
        (
            ConfigFolder::new().without("token"),
            "no such file",
            "readable by the service's user",
        ),
        (
            ConfigFolder::new().mode("token", 0o640),
            "read by others (mode 640)",
            "chmod 600",
        ),
        (
            ConfigFolder::new().mode("token", 0o604),
            "read by others (mode 604)",
            "chmod 600",
        ),
        (
            ConfigFolder::new().with("token", " \n"),
            "is empty",
            "write the API token",
        ),
        (
            ConfigFolder::new().with("token", "one two\n"),
            "more than one word",
            "on one line",
        ),
        (
            ConfigFolder::new().with("token", "x".repeat(9000)),
            "larger than",
            "readable",
        ),
    ];
    for (folder, message, remedy) in cases {
        let said = folder.said();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(at), "{}", said[0]);
        assert!(
            said[0].contains(message) && said[0].contains(remedy),
            "{}",
            said[0]
        );
    }
    let said = ConfigFolder::new()
        .with(
            "snaprotate.toml",
            "# the main file\n\n[api]\nmax_in_flight = 2\n",
        )
        .said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("snaprotate.toml:3:1: "), "{}", said[0]);
    assert!(
        said[0].contains("there is no API token; write token_file"),
        "{}",
        said[0]
    );
}

#[test]
fn i13_a_line_that_may_hold_a_secret_is_named_but_never_shown() {
    let lines = [
        "token = \"hunter2\"",
        "api_tokn = \"hunter2\"",
        "token = hunter2",
        "token_file = \"hunter2hunter2hunter2\"",
        "base_url = \"https://me:hunter2@vps.org\"",
        "password = \"hunter2\"",
    ];
    for line in lines {
        let folder = ConfigFolder::new().with("snaprotate.toml", format!("[api]\n\n{line}\n"));
        let problems = folder.load().expect_err("refused");
        let report = problems.render(false) + &problems.to_string();
        assert!(report.contains("snaprotate.toml:3:"), "{report}");
        assert!(!report.contains("hunter2"), "{report}");
    }
    let folder = ConfigFolder::new()
        .with("token", "hunter2 hunter2")
        .problems();
    assert!(!(folder.render(false) + &folder.to_string()).contains("hunter2"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let name = "policies.d/web.toml";
    let cases = [
        (
            ConfigFolder::new().with(name, b"[server]\nid = 7 # caf\xe9\n"),
            "2:13: error: the file is not UTF-8",
        ),
        (
            ConfigFolder::new().with(name, " ".repeat(2 << 20)),
            "1:1: error: the file can't be read: it is larger than",
        ),
        (ConfigFolder::new().without(name), ""),
    ];
    for (folder, wanted) in cases {
        let said = folder.said();
        assert_eq!(said.len(), 1, "{said:?}");
        if wanted.is_empty() {
            assert!(
                said[0].starts_with("snaprotate.toml:1:1: error: the policies folder"),
                "{}",
                said[0]
            );
            assert!(said[0].contains("holds no *.toml file"), "{}", said[0]);
        } else {
            assert!(
                said[0].starts_with(&format!("{name}:{wanted}")),
                "{}",
                said[0]
            );
        }
    }
    let folder = ConfigFolder::new().without(name);
    std::fs::create_dir(folder.path(name)).expect("a folder");
    assert!(
        folder.said()[0].contains("not a regular file"),
        "{:?}",
        folder.said()
    );
    let said = ConfigFolder::new().without("snaprotate.toml").said();
    assert!(
        said[0].starts_with("snaprotate.toml:1:1: error: the file can't be read: no such file"),
        "{said:?}"
    );
}

#[test]
fn two_policies_for_one_server_are_refused_at_the_second() {
    let said = ConfigFolder::new()
        .with("policies.d/zoo.toml", POLICY)
        .said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(
            "policies.d/zoo.toml:2:6: error: server 7 already has a policy: policies.d/web.toml"
        ),
        "{}",
        said[0]
    );
}

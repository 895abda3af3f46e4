//! The same tests with ids of either shape: `SNAPROTATE_TEST_IDS` is `integers`, `uuids` or `both`.
//!
//! Tests use numbers. Input of the program is translated into the shape that the stand-in shows,
//! and its output is translated back.

use snaprotate::sandbox::{IdShape, server_uuid, snapshot_uuid};

/// The beginnings of the stand-in's UUIDs, and their length.
const MARKS: [&str; 2] = ["5e57e500-0000-4000-8000-", "5a950000-0000-4000-8000-"];
const LENGTH: usize = 36;

/// Commands whose first argument is a server.
const OF_SERVER: [&str; 14] = [
    "list",
    "create",
    "delete",
    "restore",
    "plan",
    "forecast",
    "status",
    "show",
    "pause",
    "resume",
    "retry",
    "ack",
    "protect",
    "unprotect",
];

/// Options with a value, except `--server` and `--snapshot`.
const VALUED: [&str; 9] = [
    "--for",
    "--note",
    "--last",
    "--days",
    "--since",
    "--until",
    "--event",
    "--rotation",
    "--by",
];

/// Returns the shape of this run.
pub fn shape() -> IdShape {
    match std::env::var("SNAPROTATE_TEST_IDS").as_deref() {
        Ok("uuids") => IdShape::Uuids,
        Ok("both") => IdShape::Both,
        Ok("integers") | Err(_) => IdShape::Integers,
        Ok(other) => panic!("SNAPROTATE_TEST_IDS={other}: integers, uuids or both"),
    }
}

/// Returns a policy's text with ids of this run's shape.
pub fn policy(text: &str) -> String {
    if shape() != IdShape::Uuids {
        return text.to_owned();
    }
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("id", id)) => match id.parse() {
            Ok(id) => format!("id = {:?}", server_uuid(id)),
            Err(_) => line.to_owned(),
        },
        Some(("protect", list)) => {
            let list = list.trim_matches(['[', ']']).split(", ");
            let list = list.map(|one| match one.parse() {
                Ok(id) => format!("{:?}", snapshot_uuid(id)),
                Err(_) => one.to_owned(),
            });
            format!("protect = [{}]", list.collect::<Vec<_>>().join(", "))
        }
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// Returns arguments with ids of this run's shape.
pub fn arguments(args: &[&str]) -> Vec<String> {
    let (mut before, mut words) = ("", None);
    let mut put = Vec::new();
    for &arg in args {
        let id = arg.parse().ok().filter(|_| shape() == IdShape::Uuids);
        put.push(match (before, words, id) {
            ("--server", _, Some(id)) => server_uuid(id),
            ("--snapshot", _, Some(id)) => snapshot_uuid(id),
            (option, _, _) if VALUED.contains(&option) => arg.to_owned(),
            (_, Some(0), Some(id)) => server_uuid(id),
            (_, Some(1), Some(id)) => snapshot_uuid(id),
            _ => arg.to_owned(),
        });
        let valued = VALUED.contains(&before) || before == "--server" || before == "--snapshot";
        words = match words {
            None if OF_SERVER.contains(&arg) => Some(0),
            Some(word) if !valued && !arg.starts_with('-') => Some(word + 1),
            words => words,
        };
        before = arg;
    }
    put
}

/// Returns a snapshot's id as a user types it.
pub fn snapshot(id: u64) -> String {
    if shape() == IdShape::Uuids {
        snapshot_uuid(id)
    } else {
        id.to_string()
    }
}

/// Returns a server's id as a user types it.
pub fn server(id: u64) -> String {
    if shape() == IdShape::Uuids {
        server_uuid(id)
    } else {
        id.to_string()
    }
}

/// Returns a server's id as a value in TOML.
pub fn value(id: u64) -> String {
    if shape() == IdShape::Uuids {
        format!("{:?}", server_uuid(id))
    } else {
        id.to_string()
    }
}

/// Returns the path with the id of a server's page in this run's shape.
pub fn path(path: &str) -> String {
    let id = path.strip_prefix("/server/").map(str::parse);
    match id {
        Some(Ok(id)) => format!("/server/{}", server(id)),
        _ => path.to_owned(),
    }
}

/// Returns a record of a trail with its server's id in this run's shape.
pub fn record(json: &str) -> String {
    let Some((before, after)) = json.split_once("\"server\":7") else {
        return json.to_owned();
    };
    if shape() != IdShape::Uuids {
        return json.to_owned();
    }
    format!("{before}\"server\":{:?}{after}", server_uuid(7))
}

/// Returns the program's output with numbers for the stand-in's UUIDs.
pub fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, found) = rest.split_at(at);
        let Some((uuid, after)) = found.split_at_checked(LENGTH) else {
            break;
        };
        let Ok(number) = u64::from_str_radix(&uuid[MARKS[0].len()..], 16) else {
            break;
        };
        // The subject of an alert and a label of a metric are always texts, so they keep their
        // quotes; in the log an id loses them.
        let texts = ["\"about\":\"", "\"about\": \"", "=\""];
        let text =
            texts.iter().any(|text| before.ends_with(text)) && !before.ends_with(" server=\"");
        let quoted = before.ends_with('"') && after.starts_with('"') && !text;
        let marks = usize::from(quoted);
        numbered.push_str(&before[..before.len() - marks]);
        numbered.push_str(&number.to_string());
        rest = &after[marks..];
    }
    numbered + rest
}

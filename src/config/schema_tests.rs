//! The JSON Schemas of the two files agree with the reader: they have its keys and the defaults of
//! the code, and they refuse every value of a wrong type.
//!
//! If a test fails after a key or a table was added, its message says what to write into
//! `config/schema/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::diagnostics::Severity;
use super::fixture::{ConfigFolder, MAIN, POLICY};

/// A key that resembles no other, so that the reader's error lists all known keys.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqq";

/// A file that has a schema, and a valid example that the tests extend.
struct Kind {
    schema: &'static str,
    file: &'static str,
    good: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        schema: "config",
        file: "snaprotate.toml",
        good: MAIN,
    },
    Kind {
        schema: "policy",
        file: "policies.d/web.toml",
        good: POLICY,
    },
];

impl Kind {
    fn schema(&self) -> Json {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema");
        let path = path.join(format!("{}.json", self.schema));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    fn validator(&self) -> Validator {
        jsonschema::draft202012::new(&self.schema()).expect("a schema")
    }

    fn table(&self) -> Table {
        toml::from_str(self.good).expect("TOML")
    }

    /// Returns the errors that the reader reports for this text, without warnings.
    fn errors(&self, folder: &ConfigFolder, text: &str) -> Vec<String> {
        fs::write(folder.path(self.file), text).expect("written");
        let problems = folder.problems().0.into_iter();
        let errors = problems.filter(|problem| problem.severity == Severity::Error);
        errors
            .map(|problem| format!("{}; {}", problem.message, problem.remedy))
            .collect()
    }
}

/// A table of a schema: its path and its keys.
struct Keys {
    /// Table names from the top; for an array of tables, its first table.
    way: Vec<String>,
    keys: Vec<(String, Json)>,
}

/// Returns every table of a schema, the whole file first.
fn tables(schema: &Json) -> Vec<Keys> {
    let mut found = Vec::new();
    let mut waiting = vec![(Vec::new(), schema.clone())];
    while let Some((way, node)) = waiting.pop() {
        let properties = node["properties"].as_object().expect("properties");
        let mut keys = Vec::new();
        for (key, value) in properties {
            keys.push((key.clone(), value.clone()));
            let table = value.get("items").unwrap_or(value);
            // The keys of a receiver depend on its type; a separate test covers them.
            if table.get("properties").is_some() && key != "notify" {
                let mut below = way.clone();
                below.push(key.clone());
                waiting.push((below, table.clone()));
            }
        }
        found.push(Keys { way, keys });
    }
    found
}

/// Returns `file` with `key` set in the table at path `way`; missing tables are created.
fn with(schema: &Json, mut file: Table, way: &[String], key: &str, value: Value) -> Table {
    let mut table = &mut file;
    let mut node = schema;
    for step in way {
        node = &node["properties"][step];
        let array = node.get("items").is_some();
        node = node.get("items").unwrap_or(node);
        let empty = Value::Table(Table::new());
        let entry = table.entry(step.clone());
        let entry = entry.or_insert_with(|| {
            if array {
                Value::Array(vec![empty])
            } else {
                empty
            }
        });
        table = match entry {
            Value::Array(all) => all[0].as_table_mut().expect("a table"),
            other => other.as_table_mut().expect("a table"),
        };
    }
    table.insert(key.to_owned(), value);
    file
}

fn said(way: &[String]) -> String {
    match way {
        [] => "the top of the file".to_owned(),
        way => format!("the table {}", way.join(".")),
    }
}

#[test]
fn the_schema_has_exactly_the_keys_that_the_reader_accepts() {
    for kind in KINDS {
        let folder = ConfigFolder::new();
        let schema = kind.schema();
        let path = format!("config/schema/{}.json", kind.schema);
        for Keys { way, keys } in tables(&schema) {
            let file = with(&schema, kind.table(), &way, UNKNOWN, Value::Integer(1));
            let errors = kind.errors(&folder, &toml::to_string(&file).expect("TOML"));
            let place = said(&way);
            let unknown = errors.iter().find(|error| error.contains(UNKNOWN));
            let known = unknown
                .and_then(|error| error.split_once("use one of "))
                .unwrap_or_else(|| {
                    panic!(
                        "{}, {place}: the reader reported no unknown key: {errors:?}",
                        kind.file
                    )
                })
                .1;
            let known: BTreeSet<&str> = known.split(", ").collect();
            let listed: BTreeSet<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
            if let Some(key) = known.difference(&listed).next() {
                panic!(
                    "the reader accepts {key} in {place} of {}, but the schema lacks it: add {key:?} to \"properties\" of {place} in {path}, like its neighbours: {{\"$ref\": \"#/$defs/…\", \"description\": what it means, \"default\": …}}; a table: {{\"description\", \"type\": \"object\", \"additionalProperties\": false, \"properties\"}}, an array of tables: {{\"type\": \"array\", \"items\": such a table}}",
                    kind.file
                );
            }
            if let Some(key) = listed.difference(&known).next() {
                panic!(
                    "{path} has {key} in {place}, but the reader of {} doesn't accept it: remove it from \"properties\"",
                    kind.file
                );
            }
        }
    }
}

/// Returns a main file for each type of receiver; the receiver in it has an unknown key.
fn receivers() -> impl Iterator<Item = Table> {
    let types = ["webhook", "ping", "ntfy", "slack", "email", "command"];
    types.into_iter().map(|kind| {
        let text = format!("[[notify]]\ntype = \"{kind}\"\n{UNKNOWN} = 1\n");
        let mut file: Table = toml::from_str(MAIN).expect("TOML");
        let receiver: Table = toml::from_str(&text).expect("TOML");
        file.extend(receiver);
        file
    })
}

#[test]
fn the_receiver_keys_in_the_schema_are_those_that_at_least_one_type_accepts() {
    let [main, _] = KINDS;
    let folder = ConfigFolder::new();
    let schema = main.schema();
    let properties = schema["properties"]["notify"]["items"]["properties"].as_object();
    let properties = properties.expect("properties");
    let mut known = BTreeSet::new();
    for file in receivers() {
        let errors = main.errors(&folder, &toml::to_string(&file).expect("TOML"));
        let unknown = errors.iter().find(|error| error.contains(UNKNOWN));
        let (_, keys) = unknown
            .and_then(|error| error.split_once("use one of "))
            .unwrap_or_else(|| panic!("{file}: {errors:?}"));
        known.extend(keys.split(", ").map(str::to_owned));
        let json = serde_json::to_value(&file).expect("JSON");
        assert!(!main.validator().is_valid(&json), "{file}");
    }
    let listed: BTreeSet<_> = properties.keys().cloned().collect();
    assert_eq!(listed, known);
    for (key, node) in properties {
        assert!(node["description"].is_string(), "{key} has no description");
    }
}

#[test]
fn every_key_of_the_schema_has_a_description_and_unknown_keys_are_refused() {
    for kind in KINDS {
        let schema = kind.schema();
        let validator = kind.validator();
        for Keys { way, keys } in tables(&schema) {
            let place = said(&way);
            for (key, node) in keys {
                let described = node["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty());
                assert!(
                    described,
                    "{}: {key} in {place} has no description",
                    kind.schema
                );
            }
            let file = with(&schema, kind.table(), &way, UNKNOWN, Value::Integer(1));
            let json = serde_json::to_value(&file).expect("JSON");
            assert!(
                !validator.is_valid(&json),
                "{}: write \"additionalProperties\": false for {place}",
                kind.schema
            );
        }
    }
}

/// Returns values of every type, valid and invalid. Floats without a fraction are left out, since
/// JSON doesn't distinguish them from integers.
fn samples() -> Vec<Value> {
    let all = "all = ['', ' ', 'text', \"a\\u0007b\", '90s', '0s', '5', '64MiB', '0B', '%Y-%m-%d', 'prune-first', 0, 1, -1, 2.5, true, 2026-11-25, 2026-11-25T03:00:00Z, [], ['text'], [''], [1], [-1], [true], [[]], [{}], {}, {x = 1}]";
    let table: Table = toml::from_str(all).expect("TOML");
    table["all"].as_array().expect("a list").clone()
}

#[test]
fn the_schema_refuses_every_wrong_type_and_nothing_that_the_reader_accepts() {
    let mut wrong = 0;
    for kind in KINDS {
        let folder = ConfigFolder::new();
        let schema = kind.schema();
        let validator = kind.validator();
        for Keys { way, keys } in tables(&schema) {
            for (key, _) in &keys {
                for value in samples() {
                    let file = with(&schema, kind.table(), &way, key, value.clone());
                    let errors = kind.errors(&folder, &toml::to_string(&file).expect("TOML"));
                    let valid = validator.is_valid(&serde_json::to_value(&file).expect("JSON"));
                    let what = format!("{} = {value} in {} of {}", key, said(&way), kind.file);
                    let mistyped = errors.iter().any(|error| {
                        error.starts_with(&format!("{key} must be ")) && error.contains(", not ")
                    });
                    wrong += usize::from(mistyped);
                    assert!(
                        !(mistyped && valid),
                        "the reader refuses the type of {what}, but the schema doesn't: {errors:?}"
                    );
                    assert!(
                        valid || !errors.is_empty(),
                        "the schema refuses {what}, but the reader accepts it"
                    );
                }
            }
        }
    }
    assert!(
        wrong > 400,
        "only {wrong} values of a wrong type were tried"
    );
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_code() {
    for kind in KINDS {
        let schema = kind.schema();
        let folder = ConfigFolder::new();
        let meant = |text: &str| {
            fs::write(folder.path(kind.file), text).expect("written");
            let config = folder.good();
            format!(
                "{:#?} {:#?} {:#?}",
                config.api, config.rules, config.policies
            )
        };
        let mut file = kind.table();
        let mut written = 0;
        for Keys { way, keys } in tables(&schema) {
            if way.last().is_some_and(|last| last == "hooks") {
                hooks_have_the_defaults_of_the_code(&kind, &folder, &way, &keys);
                continue;
            }
            for (key, node) in keys {
                if let Some(default) = node.get("default") {
                    let value = Value::try_from(default).expect("a TOML value");
                    file = with(&schema, file, &way, &key, value);
                    written += 1;
                }
            }
        }
        assert!(written >= 8, "{}: {written}", kind.schema);
        assert_eq!(
            meant(&toml::to_string(&file).expect("TOML")),
            meant(kind.good),
            "{}",
            kind.schema
        );
    }
}

/// Hooks are checked on their own, since a hooks table without a program is an error.
fn hooks_have_the_defaults_of_the_code(
    kind: &Kind,
    folder: &ConfigFolder,
    way: &[String],
    keys: &[(String, Json)],
) {
    let schema = kind.schema();
    let program = Value::try_from(["/bin/true"]).expect("a TOML value");
    let bare = with(&schema, kind.table(), way, "before", program);
    let mut file = bare.clone();
    let mut written = 0;
    for (key, node) in keys {
        if let Some(default) = node.get("default") {
            let value = Value::try_from(default).expect("a TOML value");
            file = with(&schema, file, way, key, value);
            written += 1;
        }
    }
    assert_eq!(written, 4);
    let meant = [&bare, &file].map(|file| {
        let text = toml::to_string(file).expect("TOML");
        fs::write(folder.path(kind.file), text).expect("written");
        let hooks = folder.good().policies[0].rotations[0].hooks.clone();
        hooks.expect("hooks")
    });
    assert_eq!(meant[0], meant[1]);
    fs::write(folder.path(kind.file), kind.good).expect("written");
}

#[test]
fn the_shipped_examples_are_valid_against_the_schemas_that_they_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for (file, kind) in [
        ("snaprotate.toml", 0),
        ("policies.d/web-server-01.toml", 1),
        ("policies.d/db-server-01.toml", 1),
    ] {
        let text = fs::read_to_string(folder.join(file)).expect("read");
        let kind = &KINDS[kind];
        let named = format!(
            "#:schema file:///usr/share/snaprotate/schema/{}.json",
            kind.schema
        );
        assert_eq!(text.lines().next(), Some(named.as_str()), "{file}");
        let table: Table = toml::from_str(&text).expect("TOML");
        let json = serde_json::to_value(table).expect("JSON");
        let checked = kind
            .validator()
            .validate(&json)
            .map_err(|error| error.to_string());
        assert_eq!(checked, Ok(()), "{file}");
    }
}

//! `schema`: the JSON of the real commands is valid against their schemas.

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until};
use serde_json::{Value, json};

fn schema(home: &Home, name: &str) -> Value {
    let output = home.run(&["schema", name]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).expect("a schema")
}

/// Closes a schema. It is open so that a new key breaks no program; here an undocumented key must
/// be an error.
fn closed(node: &mut Value) {
    match node {
        Value::Object(object) => {
            object.values_mut().for_each(closed);
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(closed),
        _ => {}
    }
}

/// Asserts that a value is valid against the schema of this name, and that it is invalid with a key
/// added or, except in a record of the trail, with its first key removed.
fn holds(home: &Home, name: &str, value: &Value) {
    let mut schema = schema(home, name);
    closed(&mut schema);
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema");
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "{name}: write it into config/schema/{name}.json: {errors:#?}\n{value:#}"
    );
    let mut more = value.clone();
    more["one_more"] = json!(1);
    assert!(!validator.is_valid(&more), "{name}");
    let required = value.as_object().expect("an object").keys().next().cloned();
    let mut less = value.clone();
    let gone = required.expect("a key");
    less.as_object_mut().expect("an object").remove(&gone);
    if name != "audit-show" {
        assert!(!validator.is_valid(&less), "{name} without {gone}");
    }
}

fn written(home: &Home, args: &[&str], code: i32) -> Value {
    let output = home.run(args);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args:?}: {}",
        stderr(&output)
    );
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|why| panic!("{args:?}: {why}"))
}

/// Returns a server of each kind: rotated, full of foreign snapshots, empty, and without a policy.
fn fleet() -> (Provider, Home) {
    let provider = Provider::quick();
    for (id, name) in [(1, "web"), (2, "full"), (3, "new"), (9, "other")] {
        provider.sandbox.add_server(id, name);
    }
    for back in 1..4 {
        let name = daily_name(back);
        provider
            .sandbox
            .add_snapshot(1, &name, "completed", days_ago(back));
    }
    provider
        .sandbox
        .add_snapshot(1, "golden", "completed", days_ago(90));
    for nth in 0..5 {
        let name = format!("by-hand-{nth}");
        provider
            .sandbox
            .add_snapshot(2, &name, "failed", days_ago(nth));
    }
    provider
        .sandbox
        .add_snapshot(9, "lone", "in_progress", days_ago(0));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    for id in 1..4 {
        home.daily(id, 2, "");
    }
    (provider, home)
}

#[test]
fn schema_lists_its_names_prints_each_schema_and_names_valid_ones_for_an_unknown_name() {
    let (_provider, home) = fleet();
    let output = home.run(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let names = stdout(&output);
    let names: Vec<_> = names.lines().collect();
    assert_eq!(names.len(), 11, "{names:?}");
    for name in &names {
        let file = format!("{}/config/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).expect("a file");
        assert_eq!(stdout(&home.run(&["schema", name])), text);
    }
    let output = home.run(&["schema", "polcy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("policy"), "{}", stderr(&output));
}

#[test]
fn the_json_of_plan_list_and_forecast_matches_the_schemas() {
    let (_provider, home) = fleet();
    // One of the servers is blocked.
    holds(&home, "plan", &written(&home, &["plan", "--json"], 1));
    let list = written(&home, &["list", "--json"], 0);
    assert_eq!(list["servers"].as_array().map(Vec::len), Some(4));
    holds(&home, "list", &list);
    let servers = written(&home, &["list", "--servers", "--json"], 0);
    assert_eq!(servers["servers"].as_array().map(Vec::len), Some(4));
    holds(&home, "list-servers", &servers);
    holds(
        &home,
        "forecast",
        &written(&home, &["forecast", "--json", "--days", "3"], 0),
    );
    let draft = home.path("draft.toml");
    let text =
        "[server]\nid = 4\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n";
    std::fs::write(&draft, text).expect("written");
    let draft = draft.to_str().expect("text");
    let args = ["forecast", "--json", "--days", "3", "--against", draft];
    holds(&home, "forecast", &written(&home, &args, 0));
}

#[test]
fn the_json_of_audit_verify_matches_its_schema_for_an_intact_a_broken_and_a_missing_trail() {
    let (_provider, home) = fleet();
    let verify = |code| {
        let found = written(&home, &["audit", "verify", "--json"], code);
        holds(&home, "audit-verify", &found);
        found
    };
    assert_eq!(verify(0)["first"], Value::Null);
    home.run(&["once"]);
    assert_eq!(verify(0)["files"].as_array().map(Vec::len), Some(1));
    let mut files = std::fs::read_dir(home.path("log")).expect("a trail");
    let file = files.next().expect("a file").expect("an entry").path();
    let text = std::fs::read_to_string(&file).expect("read");
    let changed = text.replacen("create_intent", "delete_intent", 1) + "{\"torn";
    std::fs::write(&file, changed).expect("written");
    let found = verify(1);
    assert_ne!(found["problems"], json!([]), "{found}");
    assert_eq!(found["witness"], Value::Null);
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let file = file.to_str().expect("text");
    let args = ["audit", "verify", "--json", "--witness", file, "--key", key];
    let found = written(&home, &args, 1);
    assert_eq!(
        found["witness"]["refused"].as_array().map(Vec::len),
        Some(1)
    );
    holds(&home, "audit-verify", &found);
}

#[test]
fn the_json_of_check_matches_its_schema_also_for_refused_files_and_the_account() {
    let (provider, home) = fleet();
    holds(&home, "check", &written(&home, &["check", "--json"], 0));
    let online = written(&home, &["check", "--online", "--json"], 1);
    let found = online["online"]["problems"].as_array().expect("a list");
    assert!(found.len() >= 2, "{online:#}");
    holds(&home, "check", &online);
    provider.sandbox.set_token("another");
    holds(
        &home,
        "check",
        &written(&home, &["check", "--online", "--json"], 1),
    );
    home.policy("broken", "[server]\nid = \"x\"\n");
    let refused = written(&home, &["check", "--json"], 2);
    assert_eq!(refused["policies"], Value::Null);
    holds(&home, "check", &refused);
}

#[test]
fn the_json_of_status_and_of_the_trail_matches_the_schemas() {
    let (_provider, home) = fleet();
    let service = Service::start(&home);
    let raised = || home.events("alert_raised").len();
    until(
        "an alert for the full server, and a settled slot for each other server",
        || {
            raised() > 0
                && home.events("slot_settled").len() >= 2
                && !home.events("delete_confirmed").is_empty()
        },
    );
    holds(&home, "status", &written(&home, &["status", "--json"], 1));
    let one = written(&home, &["status", "--server", "1", "--json"], 0);
    assert!(one["servers"][0]["upcoming"].is_object(), "{one}");
    holds(&home, "status", &one);
    assert_eq!(service.stop(), Some(0));
    let output = home.run(&["audit", "show", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let trail = stdout(&output);
    assert!(trail.lines().count() > 20, "{trail}");
    for line in trail.lines() {
        holds(
            &home,
            "audit-show",
            &serde_json::from_str(line).expect("a record"),
        );
    }
}

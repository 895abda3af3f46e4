//! Checks the reference pages of the book, which are generated from `--help` and the schemas.
//! `SNAPROTATE_UPDATE=1 cargo test --test integration reference::` writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const MADE: &str = "<!-- Generated from the program; see tests/integration/reference.rs. -->";

fn output(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
    command.args(args).env_remove("SNAPROTATE_LOG");
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Compares a page with the expected text, or writes it.
fn settle(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/reference")
        .join(page);
    if std::env::var_os("SNAPROTATE_UPDATE").is_some() {
        std::fs::write(path, text).expect("written");
        return;
    }
    let found = std::fs::read_to_string(path).expect(page);
    assert!(
        found == text,
        "docs/reference/{page} is out of date: run SNAPROTATE_UPDATE=1 cargo test --test integration reference::"
    );
}

/// Returns the names below "Commands:" in a help text.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        name.starts_with(|c: char| c.is_ascii_lowercase())
            .then(|| name.split(' ').next())?
    });
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_of_commands_matches_their_help_texts() {
    let mut text = format!(
        "# Commands\n\n{MADE}\n\nEach section is what `snaprotate COMMAND --help` prints. `snaprotate man` prints the same texts as manual pages.\n"
    );
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let help = output(&args);
        let below = commands(&help).into_iter().rev();
        waiting.extend(below.map(|name| [path.clone(), vec![name]].concat()));
        let (level, name) = (
            "#".repeat(path.len().max(1) + 1),
            [vec!["snaprotate".to_owned()], path].concat().join(" "),
        );
        let lines = help.lines().map(str::trim_end).collect::<Vec<_>>();
        let _ = write!(
            text,
            "\n{level} {name}\n\n```text\n{}\n```\n",
            lines.join("\n")
        );
    }
    settle("commands.md", &text);
}

#[test]
fn the_pages_of_the_two_files_match_their_schemas() {
    for (schema, page, title) in [
        ("config", "main-file.md", "The main file, `snaprotate.toml`"),
        (
            "policy",
            "policy-file.md",
            "Policy files, `policies.d/*.toml`",
        ),
    ] {
        let schema: Value = serde_json::from_str(&output(&["schema", schema])).expect("JSON");
        let mut text = format!("# {title}\n\n{MADE}\n\n{}\n", of(&schema, "description"));
        for (name, node) in keys(&schema) {
            table(&schema, name, node, &mut text);
        }
        settle(page, &text);
    }
}

fn table(schema: &Value, name: &str, node: &Value, text: &mut String) {
    let (heading, fields) = match node.get("items") {
        Some(items) if items.get("properties").is_some() => (format!("[[{name}]]"), items),
        _ => (format!("[{name}]"), node),
    };
    let about = of(node, "description");
    let _ = write!(
        text,
        "\n## `{heading}`\n\n{about}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
    );
    let mut below = Vec::new();
    let required: Vec<_> = fields["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    for (key, value) in keys(fields) {
        let shape = resolved(schema, value);
        if shape.get("properties").is_some() || shape["items"].get("properties").is_some() {
            below.push((format!("{name}.{key}"), shape));
            continue;
        }
        let default = match value.get("default") {
            _ if required.iter().any(|name| *name == key) => "required".to_owned(),
            Some(default) => format!("`{default}`"),
            None => "–".to_owned(),
        };
        let cells = [kind(shape), default, of(value, "description").to_owned()];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| `{key}` | {} |", cells.join(" | "));
    }
    for (name, shape) in below {
        table(schema, &name, shape, text);
    }
}

fn kind(shape: &Value) -> String {
    let words = shape["enum"].as_array().map(|words| {
        let words = words.iter().map(|word| format!("`{word}`"));
        words.collect::<Vec<_>>().join(", ")
    });
    words.unwrap_or_else(|| match of(shape, "title") {
        "" => of(shape, "type").to_owned(),
        title => title.to_owned(),
    })
}

fn resolved<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    let place = node["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    place.and_then(|to| schema.pointer(to)).unwrap_or(node)
}

fn of<'s>(node: &'s Value, key: &str) -> &'s str {
    node[key].as_str().unwrap_or_default()
}

fn keys(table: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = table["properties"].as_object().into_iter().flatten();
    all.map(|(key, value)| (key.as_str(), value))
}

//! Generates the manual pages of the two configuration files from their schemas.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::Value;

use super::schema;

/// A configuration file with a manual page.
pub(super) struct FilePage {
    pub(super) name: &'static str,
    about: &'static str,
    schema: &'static str,
    path: &'static str,
    example: &'static str,
    also: &'static str,
}

/// The pages of section 5.
pub(super) const FILES: [FilePage; 2] = [
    FilePage {
        name: "snaprotate.toml",
        about: "the main configuration file of snaprotate",
        schema: "config",
        path: "/etc/snaprotate/snaprotate.toml",
        example: "\
[api]
token_file = \"api-token\"

[defaults]
timezone = \"Europe/Malta\"
splay = \"10m\"",
        also: "snaprotate-policy(5), snaprotate(1), snaprotate-check(1)",
    },
    FilePage {
        name: "snaprotate-policy",
        about: "which snapshots snaprotate takes of a server, when, and how many it keeps",
        schema: "policy",
        path: "/etc/snaprotate/policies.d/*.toml",
        example: "\
[server]
id = 12345
name = \"web-server-01\"
protect = [\"weekly-snapshot-2025-01-08\", 801]

[[rotation]]
name = \"weekly\"
schedule = \"0 3 * * Sun\"
timezone = \"Europe/Malta\"
keep = 3",
        also: "snaprotate.toml(5), snaprotate(1), snaprotate-forecast(1), snaprotate-init(1)",
    },
];

impl FilePage {
    /// Returns the page's text.
    pub(super) fn render(&self) -> io::Result<Vec<u8>> {
        let schema: Value = serde_json::from_str(schema::text(self.schema))?;
        let man = Man::new(Command::new(self.name).about(self.about))
            .section("5")
            .source(concat!("snaprotate ", env!("CARGO_PKG_VERSION")))
            .manual("snaprotate");
        let mut text = Vec::new();
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        let mut page = Roff::new();
        page.control("SH", ["SYNOPSIS"]).text([bold(self.path)]);
        page.control("SH", ["DESCRIPTION"]);
        page.text([roman(of(&schema, "description"))]);
        for paragraph in [
            "The file is TOML. A duration is a string of a whole number and one unit: ms, s, m, h or d. A size is written likewise: B, KiB, MiB or GiB.",
            "snaprotate-check(1) reports all mistakes at once, each with its line and what to write instead.",
        ] {
            page.control("PP", []).text([roman(paragraph)]);
        }
        for (name, table, _) in entries(&schema) {
            tables(&schema, name, table, &mut page);
        }
        page.control("SH", ["EXAMPLES"]).control("EX", []);
        for line in self.example.lines() {
            page.text([roman(line)]);
        }
        page.control("EE", []);
        page.control("SH", ["SEE ALSO"]).text([roman(self.also)]);
        page.to_writer(&mut text)?;
        Ok(text)
    }
}

/// Writes a table or an array of tables, and the tables inside it.
fn tables(schema: &Value, name: &str, node: &Value, page: &mut Roff) {
    let (heading, table) = match node.get("items") {
        Some(items) if items.get("properties").is_some() => (format!("[[{name}]]"), items),
        _ => (format!("[{name}]"), node),
    };
    page.control("SH", [heading.as_str()]);
    page.text([roman(of(node, "description"))]);
    let mut below = Vec::new();
    for (key, value, required) in entries(table) {
        let shape = resolved(schema, value);
        if shape.get("properties").is_some() || shape["items"].get("properties").is_some() {
            below.push((key, shape));
            continue;
        }
        let kind = match of(shape, "title") {
            "" => kind(shape),
            title => title.to_owned(),
        };
        let asked = if required {
            "; required".to_owned()
        } else {
            match value.get("default") {
                Some(default) => format!("; default {default}"),
                None => String::new(),
            }
        };
        page.control("TP", []);
        page.text([bold(key), roman(format!(" ({kind}{asked})"))]);
        page.text([roman(of(value, "description"))]);
    }
    for (key, shape) in below {
        tables(schema, &format!("{name}.{key}"), shape, page);
    }
}

/// Returns the type or the allowed words of a key without a title.
fn kind(shape: &Value) -> String {
    let words = shape["enum"].as_array();
    let words = words.map(|words| {
        let words = words.iter().map(ToString::to_string);
        words.collect::<Vec<_>>().join(" or ")
    });
    words.unwrap_or_else(|| of(shape, "type").to_owned())
}

/// Follows a `$ref`; returns `node` itself if it has none.
fn resolved<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    let place = node["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    place.and_then(|to| schema.pointer(to)).unwrap_or(node)
}

fn of<'s>(node: &'s Value, key: &str) -> &'s str {
    node[key].as_str().unwrap_or_default()
}

/// Returns the keys of a table, each with true if it is required. Required keys come first, in the
/// schema's order.
fn entries(table: &Value) -> Vec<(&str, &Value, bool)> {
    let required = table["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    let place = |key: &str| required.iter().position(|other| *other == key);
    let all = table["properties"].as_object().into_iter().flatten();
    let mut all: Vec<_> = all
        .map(|(key, value)| (key.as_str(), value, place(key).is_some()))
        .collect();
    all.sort_by_key(|(key, _, _)| place(key).unwrap_or(usize::MAX));
    all
}

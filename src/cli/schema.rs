//! `schema`: prints the JSON Schemas of the two files and of the commands' JSON output.
//!
//! The schemas are files, so that editors can use them. Tests compare them with the code.

use clap::builder::PossibleValuesParser;

use super::{Exit, print, say};
use crate::daemon::CommandError;

/// Every schema with its name.
pub(super) const SCHEMAS: [(&str, &str); 11] = [
    ("config", include_str!("../../config/schema/config.json")),
    ("policy", include_str!("../../config/schema/policy.json")),
    (
        "audit-show",
        include_str!("../../config/schema/audit-show.json"),
    ),
    (
        "audit-verify",
        include_str!("../../config/schema/audit-verify.json"),
    ),
    ("check", include_str!("../../config/schema/check.json")),
    (
        "forecast",
        include_str!("../../config/schema/forecast.json"),
    ),
    ("list", include_str!("../../config/schema/list.json")),
    (
        "list-servers",
        include_str!("../../config/schema/list-servers.json"),
    ),
    ("plan", include_str!("../../config/schema/plan.json")),
    ("report", include_str!("../../config/schema/report.json")),
    ("status", include_str!("../../config/schema/status.json")),
];

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// config or policy for a configuration file; every other name is that of the command whose
    /// --json output the schema describes [default: list the names]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(SCHEMAS.map(|(name, _)| name)))]
    name: Option<String>,
}

/// Prints one schema, or the names of all.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let Some(name) = &args.name else {
        say(&SCHEMAS.map(|(name, _)| name).join("\n"))?;
        return Ok(Exit::Good);
    };
    print(text(name).as_bytes())?;
    Ok(Exit::Good)
}

/// Returns the text of the schema with this name; empty if there is none.
pub(super) fn text(name: &str) -> &'static str {
    let mut all = SCHEMAS.into_iter();
    all.find(|(known, _)| *known == name)
        .map_or("", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output_schema::derived;
    use crate::cli::{audit, check, forecast, list, report};
    use crate::core::plan::Plans;
    use crate::status::FleetView;

    #[test]
    fn the_schema_of_each_output_matches_the_type_that_is_printed() {
        let all = [
            ("audit-verify", audit::verify_schema()),
            ("check", check::output_schema()),
            ("forecast", forecast::output_schema()),
            ("list", list::output_schema()),
            ("list-servers", list::servers_schema()),
            ("plan", derived::<Plans>("plan")),
            ("report", report::output_schema()),
            ("status", derived::<FleetView>("status")),
        ];
        for (name, schema) in all {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("config/schema")
                .join(name)
                .with_extension("json");
            if std::env::var_os("SNAPROTATE_UPDATE").is_some() {
                std::fs::write(path, schema).expect("written");
                continue;
            }
            assert!(
                text(name) == schema,
                "config/schema/{name}.json is out of date: run SNAPROTATE_UPDATE=1 cargo test --lib schema::"
            );
        }
    }

    #[test]
    fn each_schema_conforms_to_draft_2020_12_and_config_schema_holds_no_other_file() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema");
        let files = std::fs::read_dir(folder).expect("listed").count();
        assert_eq!(
            files,
            SCHEMAS.len(),
            "a schema in config/schema is not in SCHEMAS"
        );
        for (name, text) in SCHEMAS {
            let schema: serde_json::Value = serde_json::from_str(text).expect(name);
            let draft = "https://json-schema.org/draft/2020-12/schema";
            assert_eq!(schema["$schema"], draft, "{name}");
            jsonschema::meta::validate(&schema).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }

    #[test]
    fn the_schema_of_the_trail_lists_exactly_the_known_events() {
        let schema: serde_json::Value = serde_json::from_str(text("audit-show")).expect("JSON");
        let events = serde_json::json!(crate::cli::audit::EVENTS.as_slice());
        let said = "write the events that differ into config/schema/audit-show.json, in the order of EVENTS in src/cli/audit/filter.rs";
        assert_eq!(schema["properties"]["event"]["enum"], events, "{said}");
    }
}

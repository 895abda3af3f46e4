//! Derives the schema of a command's JSON output from the type that is printed. Only the tests do
//! this; the program embeds the schema files.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Returns the schema of `snaprotate COMMAND --json` formatted like its file.
pub(super) fn derived<T: JsonSchema>(command: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(plain).transform(&mut schema);
    schema.insert(
        "title".to_owned(),
        format!("snaprotate {command} --json").into(),
    );
    let mut text = Vec::new();
    let form = PrettyFormatter::with_indent(b" ");
    schema
        .serialize(&mut Serializer::with_formatter(&mut text, form))
        .expect("JSON");
    text.push(b'\n');
    String::from_utf8(text).expect("text")
}

/// Removes what only a reader of the code needs: the widths of integers, and Markdown.
fn plain(schema: &mut Schema) {
    let widths = |format: &Value| !format.as_str().is_some_and(|word| word.starts_with("date"));
    if schema.get("format").is_some_and(widths) {
        schema.remove("format");
    }
    if let Some(Value::String(text)) = schema.get("description") {
        let text = text.replace('`', "").replace('\n', " ");
        schema.insert("description".to_owned(), text.into());
    }
}

//! The provider's own words in the body of an error.
//!
//! Reads the shapes of Django REST framework: `{"detail": "…"}`, or `{"field": ["…", …]}`.

use serde_json::Value;

use super::printable;

/// Maximum number of characters of the provider's words that an alert repeats.
const WORDS_SHOWN: usize = 120;

/// Keys that concern the whole request and not a field.
const WHOLE: [&str; 5] = ["detail", "message", "error", "errors", "non_field_errors"];

/// Returns the words, trimmed and joined; `None` if the body has none.
pub(super) fn words(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let mut said = Vec::new();
    gather(&body, None, &mut said);
    let said = said.join("; ");
    (!said.is_empty()).then_some(said)
}

/// Makes the words printable and short enough for a log or an alert.
pub(super) fn said_by(words: &str) -> String {
    printable(words, WORDS_SHOWN)
}

fn gather(value: &Value, field: Option<&str>, said: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => said.push(match field {
            None => text.trim().to_owned(),
            Some(field) => format!("{field}: {}", text.trim()),
        }),
        Value::Array(all) => all.iter().for_each(|one| gather(one, field, said)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = Some(name.as_str()).filter(|name| !WHOLE.contains(name));
                gather(value, inner.or(field), said);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_error_body_are_returned_with_the_field_that_they_concern() {
        for (body, said) in [
            (r#"{"detail": "Not found."}"#, Some("Not found.")),
            (
                r#"{"name": ["Enter a valid name."]}"#,
                Some("name: Enter a valid name."),
            ),
            (
                r#"{"name": ["Too long.", "No blanks."], "server_id": ["Unknown."]}"#,
                Some("name: Too long.; name: No blanks.; server_id: Unknown."),
            ),
            (
                r#"{"non_field_errors": ["The limit is reached."]}"#,
                Some("The limit is reached."),
            ),
            (r#"{"errors": {"name": ["Taken."]}}"#, Some("name: Taken.")),
            (r#"["Busy."]"#, Some("Busy.")),
            (r#"{"code": 7, "detail": null}"#, None),
            ("<html>busy</html>", None),
            ("", None),
        ] {
            assert_eq!(words(body).as_deref(), said, "{body}");
        }
    }

    #[test]
    fn words_are_cut_and_made_printable() {
        let long = format!(r#"{{"detail": "a\u001b[31m\n{}"}}"#, "x".repeat(500));
        let said = said_by(&words(&long).unwrap());
        assert!(said.starts_with("a\\u{1b}[31m\\nx"), "{said}");
        assert!(said.chars().count() <= WORDS_SHOWN + 1);
    }
}

//! Suggestions for common mistakes: a value that is not a list, missing quotes, a misspelt word.

use strsim::osa_distance;

/// Returns an example of a list under this key.
pub(super) fn list(key: &str) -> String {
    let items = match key {
        "before" => r#""/usr/local/sbin/freeze""#,
        "after" => r#""/usr/local/sbin/thaw""#,
        "command" => r#""/usr/local/bin/tell-us""#,
        "to" => r#""admin@example.org""#,
        "on" => r#""slot_failed", "overdue""#,
        "hosts" => r#""status.example.org""#,
        "servers" => r#"12345, "web-server-01""#,
        "protect" => r#""weekly-snapshot-2025-01-08", 801"#,
        "former_names" => r#""{name}-%Y-%m-%d""#,
        _ => r#""weekly""#,
    };
    format!("{key} = [{items}]")
}

/// Returns a message and a remedy for a line whose value begins with a letter where a quote or a
/// number is expected. The value is not repeated, since it may be a secret.
pub(super) fn unquoted(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if key.is_empty() || !key.chars().all(plain) || !value.trim().starts_with(char::is_alphabetic) {
        return None;
    }
    let remedy = match key {
        "id"
        | "keep"
        | "min_completed"
        | "attempts"
        | "snapshot_limit"
        | "max_in_flight"
        | "requests_per_second"
        | "burst"
        | "port" => format!("write a number, such as {key} = 5"),
        "delete_stuck" => format!("write {key} = true or {key} = false"),
        "before" | "after" | "command" | "to" | "on" | "hosts" | "servers" | "protect"
        | "former_names" | "rotations" => format!("write {}", list(key)),
        _ => format!("write strings in double quotes: {key} = \"…\""),
    };
    let message = format!("the value of {key} is neither in quotes nor a number");
    Some((message, remedy))
}

/// Returns the candidate that was probably meant. Allows one edit for every three letters, but at
/// least one and at most three.
pub(super) fn nearest<'n>(word: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    among
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(slips, _)| *slips <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn each_suggested_list_is_valid_toml() {
        for key in [
            "before",
            "after",
            "command",
            "to",
            "on",
            "hosts",
            "servers",
            "protect",
            "former_names",
            "rotations",
        ] {
            let line = list(key);
            assert!(DeTable::parse(&line).is_ok(), "{line}");
        }
    }

    #[test]
    fn an_unquoted_value_gets_a_remedy_for_its_key_and_is_never_repeated() {
        let advised = |line| unquoted(line).map(|(_, remedy)| remedy);
        for (line, remedy) in [
            (
                "name = full",
                "write strings in double quotes: name = \"…\"",
            ),
            (
                "url = https://hook.example.org/secret",
                "write strings in double quotes: url = \"…\"",
            ),
            ("keep=x # many", "write a number, such as keep = 5"),
            (
                "delete_stuck = yes",
                "write delete_stuck = true or delete_stuck = false",
            ),
            ("on = overdue", "write on = [\"slot_failed\", \"overdue\"]"),
        ] {
            assert_eq!(advised(line).as_deref(), Some(remedy), "{line}");
        }
        for line in [
            "name = \"full",
            "keep = 3x",
            "keep",
            "= x",
            "a key = x",
            "[server",
        ] {
            assert_eq!(advised(line), None, "{line}");
        }
    }
}

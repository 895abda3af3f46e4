//! `complete`: the values that a shell offers for the last word of a command line: servers,
//! rotations and snapshots. The completion scripts call it; it is hidden from the help.

use clap::{Arg, Command, CommandFactory as _};

use super::server_argument::find;
use super::{Cli, Exit, block_on, control_socket, print};
use crate::config::{self, Environment};
use crate::core::name_pattern::is_accepted;
use crate::core::policy::Policy;
use crate::daemon::CommandError;
use crate::status;
use crate::status::server_lookup::NamedServer as _;

/// The words of a command line after the program's name.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The words, the last one as far as it is typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// The place of the last word in a command line.
#[derive(Debug, PartialEq, Eq)]
struct LastWord {
    /// The name of the value in its help: `SERVER`.
    value: String,
    /// The server that an earlier word names.
    server: Option<String>,
    config: Option<String>,
}

/// Prints the values, one per line. Prints nothing if the word is another one: the shell then
/// offers options, commands or files.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut command = Cli::command();
    command.build();
    let Some(place) = last_word(&command, &args.words) else {
        return Ok(Exit::Good);
    };
    let typed = args.words.last().map_or("", String::as_str);
    let mut values = values(&place);
    // A shell would take other characters for its own.
    values.retain(|value| value.starts_with(typed) && is_plain(value));
    values.sort_unstable();
    values.dedup();
    if !values.is_empty() {
        print((values.join("\n") + "\n").as_bytes())?;
    }
    Ok(Exit::Good)
}

/// Returns the place of the last word. `None` if no value belongs there.
fn last_word(command: &Command, words: &[String]) -> Option<LastWord> {
    let (last, before) = words.split_last()?;
    let mut command = command;
    let (mut position, mut named): (usize, Vec<(String, String)>) = (0, Vec::new());
    let mut expected: Option<String> = None;
    for word in before {
        if let Some(value) = expected.take() {
            named.push((value, word.clone()));
        } else if let Some(option) = word.strip_prefix("--") {
            let (option, given) = option.split_once('=').unzip();
            let option = option.unwrap_or(&word[2..]);
            let value = option_value(command, option);
            match (value, given) {
                (Some(value), Some(given)) => named.push((value, given.to_owned())),
                (value, _) => expected = value,
            }
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        } else {
            position += 1;
            named.extend(positional(command, position).map(|value| (value, word.clone())));
        }
    }
    let value = match expected {
        Some(value) => value,
        None if last.starts_with('-') => return None,
        None => positional(command, position + 1)?,
    };
    let given = |wanted: &str| {
        let mut named = named.iter();
        named.find_map(|(value, word)| (value == wanted).then(|| word.clone()))
    };
    Some(LastWord {
        value,
        server: given("SERVER"),
        config: given("CONFIG"),
    })
}

/// Returns the name of an option's value, `CONFIG` for the main file; `None` for a switch.
fn option_value(command: &Command, option: &str) -> Option<String> {
    let mut options = command.get_opts();
    let found = options.find(|arg| arg.get_long() == Some(option))?;
    match option {
        "config" => Some("CONFIG".to_owned()),
        _ => name_of_value(found),
    }
}

fn positional(command: &Command, position: usize) -> Option<String> {
    let mut all = command.get_positionals();
    name_of_value(all.find(|arg| arg.get_index() == Some(position))?)
}

fn name_of_value(arg: &Arg) -> Option<String> {
    if !arg.get_action().takes_values() {
        return None;
    }
    let names = arg.get_value_names()?;
    names.first().map(ToString::to_string)
}

fn values(place: &LastWord) -> Vec<String> {
    let file = place.config.as_deref().unwrap_or(config::DEFAULT_FILE);
    let policies = || config::policies(file.as_ref(), &Environment::from_process());
    match place.value.as_str() {
        "SERVER" => policies().iter().map(|policy| name(policy)).collect(),
        "ROTATION" => {
            let policies = policies();
            let of_server = |policy: &&std::sync::Arc<Policy>| {
                let server = place.server.as_deref();
                server.is_none_or(|server| policy.is_named(server))
            };
            let policies = policies.iter().filter(of_server);
            let rotations = policies.flat_map(|policy| &policy.rotations);
            rotations
                .map(|rotation| rotation.name.to_string())
                .collect()
        }
        "SNAPSHOT" => snapshots(place.server.as_deref()),
        _ => Vec::new(),
    }
}

/// Returns the policy's name for the server, or the name of its file if a shell could misread that.
fn name(policy: &Policy) -> String {
    let name = policy.called();
    if is_plain(name) {
        name.to_owned()
    } else {
        policy.argument()
    }
}

/// Returns the snapshots that the running service lists; none if no service is running.
fn snapshots(server: Option<&str>) -> Vec<String> {
    let socket = control_socket();
    let Ok(view) = block_on(async { Ok(status::ask(&socket).await?) }) else {
        return Vec::new();
    };
    let servers = match server {
        Some(server) => find(&view.servers, server)
            .ok()
            .flatten()
            .into_iter()
            .collect(),
        None => view.servers.iter().collect::<Vec<_>>(),
    };
    let rows = servers.into_iter().flat_map(|server| &server.snapshots);
    rows.map(|row| row.name.clone()).collect()
}

/// Returns true if the word needs no quotes in any shell.
fn is_plain(word: &str) -> bool {
    is_accepted(&word.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: &str) -> Option<(String, Option<String>)> {
        let mut command = Cli::command();
        command.build();
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        last_word(&command, &words).map(|place| (place.value, place.server))
    }

    #[test]
    fn the_help_of_a_command_says_which_values_belong_at_the_last_word() {
        let server = || Some(("SERVER".to_owned(), None));
        let of = |value: &str| Some((value.to_owned(), Some("web".to_owned())));
        for (line, expected) in [
            ("status ", server()),
            ("status we", server()),
            ("status --json we", server()),
            ("--config a.toml status we", server()),
            ("audit show --server we", server()),
            ("restore web ", of("SNAPSHOT")),
            ("restore --yes web da", of("SNAPSHOT")),
            ("audit show web --snapshot da", of("SNAPSHOT")),
            ("audit show --server=web --snapshot da", of("SNAPSHOT")),
            ("retry web da", of("ROTATION")),
            ("audit show web --rotation da", of("ROTATION")),
            ("status --js", None),
            ("stat", None),
            ("restore web snap ", None),
        ] {
            assert_eq!(place(line), expected, "{line}");
        }
        let mut command = Cli::command();
        command.build();
        let words = ["--config", "a.toml", "plan", ""].map(str::to_owned);
        let found = last_word(&command, &words).expect("a place");
        assert_eq!(found.config.as_deref(), Some("a.toml"));
    }

    #[test]
    fn a_word_that_a_shell_would_take_for_its_own_is_not_offered() {
        for (word, plain) in [
            ("web-01.example", true),
            ("web 01", false),
            ("$(reboot)", false),
            ("", false),
        ] {
            assert_eq!(is_plain(word), plain, "{word}");
        }
    }
}

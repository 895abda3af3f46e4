//! Delivers messages to a program: JSON on its standard input.

use std::time::Duration;

use crate::alerts::Message;
use crate::child::{self, Program};

/// Runs the program to its end, within the limit.
pub(super) async fn run(
    receiver: &str,
    argv: &[String],
    message: &Message,
    limit: Duration,
) -> Result<(), String> {
    let name = argv.first().map_or("", String::as_str);
    let program = Program {
        argv,
        env: Vec::new(),
        input: message.json().to_string() + "\n",
        limit,
    };
    let ended = child::run(program).await.map_err(|error| {
        format!("{error}; under systemd a drop-in with ExecPaths= must allow it")
    })?;
    let output = ended.output;
    if let Some(fault) = ended.fault {
        let hint = if output.is_empty() { "" } else { ": " };
        return Err(format!("{name} {fault}{hint}{output}"));
    }
    if !output.is_empty() {
        tracing::info!(receiver, output, "output of the command");
    }
    Ok(())
}

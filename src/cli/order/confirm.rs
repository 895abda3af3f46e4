//! Asks for confirmation before an irreversible change.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::daemon::CommandError;

/// Returns true if a person can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for the server's name, unless `yes` is given. Returns false if a different name was typed.
pub(super) fn by_name(called: &str, what: &str, yes: bool) -> Result<bool, CommandError> {
    if yes {
        return Ok(true);
    }
    if !can_ask() {
        return Err(CommandError::System(format!(
            "there is no terminal to ask on, so nothing was done: to {what}, run this command on a terminal, or give --yes"
        )));
    }
    let typed = ask(&format!(
        "Type the server's name, {called}, to {what} (anything else cancels): "
    ))?;
    Ok(typed == called)
}

/// Asks a question whose default answer is yes.
pub(super) fn yes_unless(question: &str) -> Result<bool, CommandError> {
    let typed = ask(&format!("{question} [Y/n] "))?;
    Ok(matches!(typed.to_lowercase().as_str(), "" | "y" | "yes"))
}

fn ask(question: &str) -> Result<String, CommandError> {
    let failed =
        |why: io::Error| CommandError::System(format!("the terminal can't be read: {why}"));
    let mut stderr = anstream::stderr();
    write!(stderr, "{question}").map_err(failed)?;
    stderr.flush().map_err(failed)?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).map_err(failed)?;
    if read == 0 {
        // The end of the input must not count as the default answer.
        return Ok("\u{4}".to_owned());
    }
    Ok(line.trim().to_owned())
}

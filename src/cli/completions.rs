//! `completions`: prints a shell's completion script.
//!
//! `clap_complete` writes the script for commands and options. For bash, zsh and fish, a function
//! is added that asks `snaprotate complete` for servers and snapshots first. The mechanism of
//! `clap_complete` for that is unstable.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, print};
use crate::daemon::CommandError;

/// The options of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// The end of the script for bash.
const BASH: &str = r#"
_snaprotate_values() {
    local values
    values=$(snaprotate complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [ -n "$values" ]; then
        COMPREPLY=($(compgen -W "$values" -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        _snaprotate "$@"
    fi
}
complete -F _snaprotate_values -o bashdefault -o default snaprotate
"#;

/// Stands before the last lines of the script for zsh, which then call it.
const ZSH: &str = r#"_snaprotate_values() {
    local -a values
    values=("${(@f)$(snaprotate complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [ -n "$values[1]" ]; then
        compadd -a values
    else
        _snaprotate "$@"
    fi
}

"#;

/// The end of the script for fish.
const FISH: &str = r#"
function __snaprotate_values
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    snaprotate complete -- $words[2..-1] "$last" 2>/dev/null
end
complete -c snaprotate -a "(__snaprotate_values)"
"#;

/// Prints the script.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "snaprotate", &mut script);
    let script = String::from_utf8_lossy(&script);
    print(with_values(args.shell, &script).as_bytes())?;
    Ok(Exit::Good)
}

/// Returns the script with the function that offers values.
fn with_values(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!("{script}{BASH}"),
        Shell::Fish => format!("{script}{FISH}"),
        Shell::Zsh => {
            let (functions, calls) = script.rsplit_once("\nif [").unwrap_or((script, ""));
            let calls = calls.replace("    _snaprotate ", "    _snaprotate_values ");
            let calls = calls.replace("compdef _snaprotate ", "compdef _snaprotate_values ");
            format!("{functions}\n{ZSH}if [{calls}")
        }
        _ => script.to_owned(),
    }
}

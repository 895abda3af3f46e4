//! Parses the command line, runs the command, and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    snaprotate::cli::main()
}

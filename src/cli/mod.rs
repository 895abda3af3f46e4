//! The command line: each command is a file with its arguments and a `run`.
//!
//! Commands get the parsed arguments, print their output, and return an exit code (docs/design.md
//! "Commands").

pub mod ack;
mod api_error_hint;
pub mod audit;
pub mod check;
pub mod complete;
pub mod completions;
mod config_drift;
pub mod demo;
mod file_manuals;
pub mod forecast;
mod help_text;
mod hook_runner;
pub mod init;
pub mod list;
pub mod manual;
pub mod notify;
pub mod once;
pub mod order;
mod order_help;
mod order_terms;
mod output;
#[cfg(test)]
mod output_schema;
mod pager;
pub mod pause;
pub mod plan;
pub mod report;
mod report_help;
pub mod retry;
pub mod run;
pub mod schema;
mod screen;
mod server_argument;
pub mod status;
mod watch;

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Environment, SecretChecks};
use crate::daemon::CommandError;
use crate::daemon::logging::{self, Format, Level};
use crate::status::NoAnswer;
use output::{note, print, print_json, printable_name, printable_path, say, written};

/// Heading in the help for the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is as it should be.
    Good,
    /// The output reports a problem.
    Bad,
}

/// Rotates the snapshots of VPS.org servers by policy.
#[derive(Debug, Parser)]
#[command(name = "snaprotate", version, propagate_version = true, after_long_help = help_text::TOP)]
pub struct Cli {
    /// The main configuration file
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "FILE",
        default_value = config::DEFAULT_FILE
    )]
    pub config: PathBuf,
    /// The log level [default: info for run and once, error for pause, resume and orders,
    /// otherwise warn]
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_enum,
        value_name = "LEVEL",
        env = "SNAPROTATE_LOG"
    )]
    pub log: Option<Level>,
    /// The log format; auto: the journal under systemd, otherwise lines of text on stderr
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_enum,
        value_name = "FORMAT",
        default_value_t = Format::Auto
    )]
    pub log_format: Format,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service: take and prune snapshots on schedule until a signal ends it
    #[command(after_long_help = help_text::RUN)]
    Run,
    /// Settle everything that is due now, then exit
    #[command(after_long_help = help_text::ONCE)]
    Once,
    /// Validate the configuration and all policies; with --online, also against the account
    #[command(after_long_help = help_text::CHECK)]
    Check(check::Args),
    /// Show what would be done now, and why; changes nothing
    #[command(after_long_help = help_text::PLAN)]
    Plan(plan::Args),
    /// Show the account's snapshots, and whether each is own or foreign
    #[command(after_long_help = help_text::LIST)]
    List(list::Args),
    /// Show which snapshots will exist, and how far back a restore can go; uses no network
    ///
    /// The forecast shows what the policies yield in the long run. It assumes that they have
    /// been in force for a long time and that every step succeeds, each create within one
    /// `poll_interval`. It ignores what the servers hold now; `plan` takes that into account.
    #[command(after_long_help = help_text::FORECAST)]
    Forecast(forecast::Args),
    /// Show the running service: a verdict on all servers, and what needs an administrator
    #[command(after_long_help = help_text::STATUS)]
    Status(status::Args),
    /// Show what was made, deleted and missed in a period, and what can be restored now
    #[command(after_long_help = report_help::REPORT)]
    Report(report::Args),
    /// Write first policies from the snapshots that exist; changes nothing at the provider
    ///
    /// Naming patterns that already form a rotation become policies. Such a pattern has a date in
    /// it, and at least two snapshots with evenly spaced dates have exactly the names that it
    /// gives. A server without such a pattern gets a proposed policy, which is not read until its
    /// file is renamed. No file is ever overwritten, and if anything is wrong, no file is written.
    #[command(after_long_help = help_text::INIT)]
    Init(init::Args),
    /// Pause the rotation of one server or of all: no creates, no deletes until resumed
    #[command(after_long_help = order_help::PAUSE)]
    Pause(pause::PauseArgs),
    /// Resume one server or all, or agree to what an alert asks for
    #[command(after_long_help = order_help::RESUME)]
    Resume(pause::ResumeArgs),
    /// Retry the newest slot of each rotation if it has no snapshot
    #[command(after_long_help = order_help::RETRY)]
    Retry(retry::Args),
    /// Acknowledge active alerts of a server: receivers get no repeats of them
    #[command(after_long_help = order_help::ACK)]
    Ack(ack::Args),
    /// Take a snapshot of a server outside its rotation
    #[command(after_long_help = order_help::CREATE)]
    Create(order::Create),
    /// Delete one snapshot permanently; shows it first, and asks for the server's name
    #[command(after_long_help = order_help::DELETE)]
    Delete(order::Delete),
    /// Overwrite a server with one of its snapshots; shows it first, and asks for the server's
    /// name
    #[command(after_long_help = order_help::RESTORE)]
    Restore(order::Restore),
    /// Keep the rotation from deleting a snapshot, as the policy's protect does
    #[command(after_long_help = order_help::PROTECT)]
    Protect(order::Protect),
    /// End the protection of a snapshot by protect
    #[command(after_long_help = order_help::UNPROTECT)]
    Unprotect(order::Protect),
    /// Test whether alerts reach their receivers
    #[command(subcommand, after_long_help = help_text::NOTIFY)]
    Notify(notify::Command),
    /// Rotate made-up servers on a built-in stand-in for the API, with time sped up
    #[command(after_long_help = help_text::DEMO)]
    Demo(demo::Demo),
    /// Read the audit trail
    #[command(subcommand, after_long_help = help_text::AUDIT)]
    Audit(audit::Command),
    /// Print a completion script for a shell
    #[command(after_long_help = help_text::COMPLETIONS)]
    Completions(completions::Args),
    /// Print the JSON Schema of a configuration file, or of a command's JSON output
    #[command(after_long_help = help_text::SCHEMA)]
    Schema(schema::Args),
    /// Print the values that a shell offers for the last word of a command line
    #[command(hide = true)]
    Complete(complete::Args),
    /// Run the hooks of one hold, for the service
    #[command(hide = true)]
    HookRunner,
    /// Print a manual page, or write all of them
    #[command(after_long_help = help_text::MAN)]
    Man(manual::Args),
}

/// Parses the arguments, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Clap also returns help and the version as errors.
        Err(said) => {
            return match written(said.print()) {
                Ok(()) => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2)),
                Err(refusal) => fail(&refusal, false),
            };
        }
    };
    // The demo prints events in its own format.
    if let Command::Demo(demo) = &cli.command {
        return code(demo.run(), false);
    }
    let to_journal = match logging::init(cli.log_format, cli.level()) {
        Ok(to_journal) => to_journal,
        Err(why) => return fail(&CommandError::System(why), false),
    };
    let outcome = cli.run();
    logging::flush();
    code(outcome, to_journal)
}

/// Returns the process's exit code.
fn code(outcome: Result<Exit, CommandError>, to_journal: bool) -> ExitCode {
    match outcome {
        Ok(Exit::Good) => ExitCode::SUCCESS,
        Ok(Exit::Bad) => ExitCode::from(1),
        Err(refusal) => fail(&refusal, to_journal),
    }
}

impl Cli {
    fn run(&self) -> Result<Exit, CommandError> {
        match &self.command {
            Command::Run => run::run(self),
            Command::Once => once::run(self),
            Command::Complete(args) => complete::run(args),
            Command::HookRunner => hook_runner::run(self),
            Command::Check(args) => check::run(self, args),
            Command::Plan(args) => plan::run(self, args),
            Command::Status(args) => status::run(self, args),
            Command::Forecast(args) => forecast::run(self, args),
            Command::Report(args) => report::run(self, args),
            Command::List(args) => list::run(self, args),
            Command::Init(args) => init::run(self, args),
            Command::Pause(args) => pause::pause(self, args),
            Command::Resume(args) => pause::resume(self, args),
            Command::Retry(args) => retry::run(self, args),
            Command::Ack(args) => ack::run(self, args),
            Command::Create(args) => order::create(self, args),
            Command::Delete(args) => order::delete(self, args),
            Command::Restore(args) => order::restore(self, args),
            Command::Protect(args) => order::protect(self, args),
            Command::Unprotect(args) => order::unprotect(self, args),
            Command::Notify(command) => notify::run(self, command),
            Command::Demo(demo) => demo.run(),
            Command::Audit(command) => audit::run(self, command),
            Command::Completions(args) => completions::run(args),
            Command::Schema(args) => schema::run(args),
            Command::Man(args) => manual::run(args),
        }
    }

    /// Returns the log level. Commands for people log only warnings. Orders log only errors, since
    /// warnings about the state before an order don't concern it, and its result is printed.
    fn level(&self) -> Level {
        self.log.unwrap_or(match self.command {
            Command::Run | Command::Once | Command::HookRunner => Level::Info,
            Command::Pause(_)
            | Command::Resume(_)
            | Command::Retry(_)
            | Command::Ack(_)
            | Command::Protect(_)
            | Command::Unprotect(_)
            | Command::Create(_)
            | Command::Delete(_)
            | Command::Restore(_) => Level::Error,
            _ => Level::Warn,
        })
    }

    /// Loads the configuration given by `--config`.
    fn load(&self) -> Result<Config, CommandError> {
        self.load_with(SecretChecks::Needed)
    }

    /// Loads the configuration with the given checks of secrets.
    fn load_with(&self, secrets: SecretChecks) -> Result<Config, CommandError> {
        let env = Environment {
            secrets,
            ..Environment::from_process()
        };
        Ok(config::load(&self.config, &env)?)
    }
}

/// Returns the path of the running service's control socket.
fn control_socket() -> PathBuf {
    crate::status::socket(Environment::from_process().runtime_directory.as_deref())
}

/// Makes a path absolute, so that another process finds it too.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Returns the user who runs this process; orders are recorded under this name.
fn caller() -> String {
    let user = std::fs::metadata("/proc/self").map(|process| process.uid());
    match user {
        Ok(0) => "root".to_owned(),
        Ok(user) => format!("user {user}"),
        Err(_) => "an unknown user".to_owned(),
    }
}

/// Runs `work` on a single thread, since commands spend nearly all their time waiting; the trail's
/// disk has its own thread. Each further thread would have a heap that never shrinks.
fn block_on<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| CommandError::System(format!("the runtime can't be started: {why}")))?;
    let result = runtime.block_on(work);
    // Blocked work must not delay the end of the process.
    runtime.shutdown_background();
    result
}

/// Returns the answer of the running service; `None` if none runs.
fn of_service<T>(
    asked: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<Option<T>, CommandError> {
    match block_on(async { Ok(asked.await) })? {
        Err(NoAnswer::NotRunning(_)) => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

/// Prints an error. The journal shows lines, so there each problem is one line; elsewhere the
/// excerpt follows.
fn fail(refusal: &CommandError, to_journal: bool) -> ExitCode {
    let mut stderr = anstream::stderr();
    let color = io::stderr().is_terminal();
    let _closed = match refusal {
        CommandError::Problems(problems) if !to_journal => {
            writeln!(stderr, "{}", problems.render(color))
        }
        refusal => writeln!(stderr, "snaprotate: {refusal}"),
    };
    ExitCode::from(refusal.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_option_may_precede_or_follow_a_command_and_only_the_help_of_demo_omits_it() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        for command in ["check", "demo", "audit verify"] {
            for line in [
                format!("snaprotate --config x.toml {command}"),
                format!("snaprotate {command} --config x.toml"),
            ] {
                let cli = parse(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
                assert_eq!(cli.config, PathBuf::from("x.toml"), "{line}");
            }
            let usual = parse(&format!("snaprotate {command}")).expect("parsed");
            assert!(usual.config.ends_with("snaprotate/snaprotate.toml"));
            let help = parse(&format!("snaprotate {command} --help")).expect_err("help");
            let shown = help.to_string().contains("--config");
            assert_eq!(shown, command != "demo", "{help}");
        }
    }
}

//! `notify test`: sends a test message to the receivers.

use super::{Cli, Exit, block_on, help_text, say};
use crate::clock::Clock;
use crate::daemon::{CommandError, delivery_context};
use crate::notify::Delivery;

/// Subcommands of `notify`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Send a test message to each receiver
    #[command(after_long_help = help_text::NOTIFY_TEST)]
    Test(Args),
}

/// Arguments of `notify test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this receiver, by its name
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
}

/// Tries all receivers at once, and prints the results in the order of the file.
pub fn run(cli: &Cli, command: &Command) -> Result<Exit, CommandError> {
    let Command::Test(args) = command;
    let config = cli.load()?;
    let file = config.file.display();
    let known = || {
        let names = config.receivers.iter().map(|r| r.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    if config.receivers.is_empty() {
        let why = format!(
            "{file}: there is no receiver for alerts; write a [[notify]] for each receiver"
        );
        return Err(CommandError::Settings(why));
    }
    let mut wanted = config.receivers.clone();
    if let Some(name) = &args.receiver {
        wanted.retain(|receiver| receiver.name == *name);
        if wanted.is_empty() {
            let why = format!(
                "{file}: there is no receiver {name:?}; the receivers are {}",
                known()
            );
            return Err(CommandError::Settings(why));
        }
    }
    let delivery = delivery_context(&config);
    let now = Clock::system().now().wall;
    let ends = block_on(async {
        let tries = wanted.iter().map(|receiver| {
            let post = Delivery::new(receiver.clone(), delivery.clone());
            async move { post.test(now).await }
        });
        Ok(futures_util::future::join_all(tries).await)
    })?;
    let mut exit = Exit::Good;
    for (receiver, end) in wanted.iter().zip(ends) {
        let (name, way) = (&receiver.name, receiver.way.word());
        let end = match end {
            Ok(()) => "ok".to_owned(),
            Err(why) => {
                exit = Exit::Bad;
                format!("failed: {why}")
            }
        };
        say(&format!("{name} ({way}): {end}"))?;
    }
    Ok(exit)
}

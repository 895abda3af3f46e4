//! Log output: journal fields under systemd, text for people, JSON for collectors.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::OnceLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use super::journal::JournalLayer;
use super::log_queue::LogQueue;

/// The format of log events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Journal if stderr is connected to it, else text.
    Auto,
    /// Journal fields.
    Journal,
    /// Text lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The lowest level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The format and level in use, to pass on to child processes.
static CHOSEN: OnceLock<(Format, Level)> = OnceLock::new();

static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Returns the options that make another process of this program log as this one does.
pub fn options() -> Vec<String> {
    let Some((format, level)) = CHOSEN.get() else {
        return Vec::new();
    };
    let word = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned());
    let (format, level) = (format.to_possible_value(), level.to_possible_value());
    let named = [("--log-format", word(format)), ("--log", word(level))];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    named.collect()
}

/// Starts logging. Returns true if it goes to the journal.
pub fn init(format: Format, level: Level) -> Result<bool, String> {
    let to_journal = match format {
        Format::Journal => true,
        Format::Auto => stderr_is_journal(),
        Format::Text | Format::Json => false,
    };
    let journal = to_journal.then(JournalLayer::connect).transpose();
    let (layer, queue): (Box<dyn Layer<Registry> + Send + Sync>, _) = match journal {
        Ok(Some((layer, queue))) => (layer.boxed(), queue),
        Err(why) if format == Format::Journal => {
            return Err(format!("the journal can't be reached: {why}"));
        }
        // Lines on stderr reach the journal too, without fields.
        Ok(None) | Err(_) => {
            let queue = LogQueue::start(|line| std::io::stderr().write_all(line));
            let queue = queue.map_err(|why| format!("logging can't be started: {why}"))?;
            let lines = fmt::layer().with_writer(queue.clone());
            let layer = if format == Format::Json {
                lines.json().flatten_event(true).boxed()
            } else {
                let ansi = std::io::stderr().is_terminal();
                lines.with_target(false).with_ansi(ansi).boxed()
            };
            (layer, queue)
        }
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter(level)))
        .try_init()
        .map_err(|why| format!("logging can't be started: {why}"))?;
    let _first = (CHOSEN.set((format, level)), QUEUE.set(queue));
    Ok(to_journal)
}

/// Waits until everything that was logged has been written, for at most a second.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush();
    }
}

/// Returns the filter for this level. Libraries log warnings and errors at most: one that traces
/// requests could log the token (I13), and the ticker logs every tick.
fn filter(level: Level) -> Targets {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("snaprotate", level)
}

/// Returns true if stderr has the device and inode that `JOURNAL_STREAM` names (systemd.exec(5)).
/// stderr may have been redirected since systemd set it.
fn stderr_is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let stderr = std::fs::metadata("/proc/self/fd/2");
    stderr.is_ok_and(|data| stream == format!("{}:{}", data.dev(), data.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_libraries_log_only_warnings_whatever_level_is_requested() {
        let filter = filter(Level::Trace);
        assert!(filter.would_enable("snaprotate::engine", &tracing::Level::TRACE));
        for other in ["reqwest::connect", "tokio_cron_scheduler::job"] {
            assert!(filter.would_enable(other, &tracing::Level::WARN));
            assert!(!filter.would_enable(other, &tracing::Level::INFO));
        }
    }
}

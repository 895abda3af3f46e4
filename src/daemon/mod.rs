//! The process around the engine: what it holds, what it hears, and how it ends.
//!
//! - `startup`: lock, trail, API and engine, put together once for `run` and `once`.
//! - `main_loop`: the one select loop of the daemon; `once`: what is due now, and the end.
//! - `single_command`: one change where no service runs.
//! - `reload`: a new set of files in place of the one in force, or not at all.
//! - `dry_run`: what a run would do, by reading alone.
//! - `tick`: what makes the engine look; `signals`, `systemd`: what is heard and told.
//! - `witness`: signed checkpoints of the trail, for those who keep them elsewhere.
//! - `lock`: one writer; `locked_disk`: the trail's disk as long as we are that; `logging`: where events go.

pub mod contract_canary;
pub mod dry_run;
pub mod lock;
mod locked_disk;
pub mod logging;
mod main_loop;
mod once;
mod reload;
mod signals;
mod single_command;
mod startup;
mod systemd;
mod tick;
mod witness;

pub use main_loop::{listen, serve};
pub use once::once;
pub use signals::{Signal, Signals};
pub use single_command::alone;
pub use startup::{api_settings, means};

use crate::audit::TrailError;
use crate::config::Problems;
use crate::status::NoAnswer;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The files are not good.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// What the files name can't be used.
    #[error("{0}")]
    Settings(String),
    /// Another process is the writer.
    #[error("{0}")]
    Lock(#[from] lock::LockError),
    /// The trail can't be read or written.
    #[error("{0}")]
    Trail(#[from] TrailError),
    /// The provider's API can't be read.
    #[error("{0}")]
    Api(String),
    /// The system refused something.
    #[error("{0}")]
    System(String),
    /// There is no running service to ask.
    #[error("{0}")]
    NotRunning(String),
}

impl From<NoAnswer> for CommandError {
    fn from(absent: NoAnswer) -> Self {
        match absent {
            NoAnswer::NotRunning(_) => Self::NotRunning(absent.to_string()),
            NoAnswer::NoServer(why) => Self::Settings(why),
            NoAnswer::Forbidden(_) | NoAnswer::Refused(_) | NoAnswer::Failed { .. } => {
                Self::System(absent.to_string())
            }
        }
    }
}

impl CommandError {
    /// Whether there would be none if a disk had room.
    fn is_full_disk(&self) -> bool {
        match self {
            Self::Lock(why) => why.is_full_disk(),
            Self::Trail(why) => why.is_full_disk(),
            _ => false,
        }
    }

    /// The exit code: 2 for what only an administrator can mend in the files, 3 for `status`
    /// without a service.
    pub fn code(&self) -> u8 {
        match self {
            Self::Problems(_) | Self::Settings(_) => 2,
            Self::NotRunning(_) => 3,
            Self::Lock(_) | Self::Trail(_) | Self::Api(_) | Self::System(_) => 1,
        }
    }
}

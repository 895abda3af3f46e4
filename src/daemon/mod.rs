//! The process around the engine: what it holds, which signals it receives, and how it ends.
//!
//! - `startup`: lock, trail, API and engine, set up once for `run`, `once` and single commands.
//! - `main_loop`: the daemon's select loop; `once`: one run over what is due now.
//! - `single_command`: one change while no service runs.
//! - `reload`: a new set of files, put into force as a whole or refused.
//! - `read_only_plan`: what a run would do, from GETs and reads only.
//! - `ticker`: the ticks that wake the engine; `signals`: signals; `systemd`: notifications to
//!   systemd.
//! - `response_drift`: the daily comparison of the provider's answers with their learned shape.
//! - `witness_publisher`: signed checkpoints of the trail, kept elsewhere. `report_publisher`: the
//!   reports of receivers.
//! - `lock`: the single writer; `locked_disk`: the trail's disk, guarded by the lock.
//! - `logging`: log output; `log_queue`: the thread that writes it; `journal`: the journal's format.

mod journal;
pub mod lock;
mod locked_disk;
mod log_queue;
pub mod logging;
mod main_loop;
mod once;
pub mod read_only_plan;
mod reload;
mod report_publisher;
pub mod response_drift;
mod signals;
mod single_command;
mod startup;
mod systemd;
mod ticker;
mod witness_publisher;

pub use main_loop::{listen, serve};
pub use once::once;
pub use signals::{Signal, Signals};
pub use single_command::run_exclusive;
pub use startup::{api_settings, delivery_context};

use crate::audit::TrailError;
use crate::config::Problems;
use crate::status::NoAnswer;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration has errors.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// A usage error, or something that the configuration names can't be used.
    #[error("{0}")]
    Settings(String),
    /// The lock could not be taken.
    #[error("{0}")]
    Lock(#[from] lock::LockError),
    /// The trail can't be read or written.
    #[error("{0}")]
    Trail(#[from] TrailError),
    /// The provider's API can't be read.
    #[error("{0}")]
    Api(String),
    /// Something else failed, such as a system call or the control socket.
    #[error("{0}")]
    System(String),
    /// No service is running.
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
    /// Returns true if the cause is a full disk.
    fn is_full_disk(&self) -> bool {
        match self {
            Self::Lock(why) => why.is_full_disk(),
            Self::Trail(why) => why.is_full_disk(),
            _ => false,
        }
    }

    /// Returns the exit code: 2 for configuration and usage errors, 3 for `status` without a
    /// service, else 1.
    pub fn code(&self) -> u8 {
        match self {
            Self::Problems(_) | Self::Settings(_) => 2,
            Self::NotRunning(_) => 3,
            Self::Lock(_) | Self::Trail(_) | Self::Api(_) | Self::System(_) => 1,
        }
    }
}

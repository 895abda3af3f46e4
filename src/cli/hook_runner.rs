//! `hook-runner`: the process that runs the hooks of one hold. The service starts it through a
//! systemd socket or as a child. It is hidden from the help, since nobody runs it by hand.

use std::io::{stdin, stdout};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};

use super::{Cli, Exit, block_on};
use crate::daemon::{self, CommandError, Signal};
use crate::hooks::LOCKS;
use crate::hooks::authorize;
use crate::hooks::runner::{self, RunnerEnvironment};

/// Runs the hooks until the hold ends.
pub fn run(cli: &Cli) -> Result<Exit, CommandError> {
    block_on(async {
        let mut signals = daemon::listen()?;
        let ended = async move { while !matches!(signals.next().await, Signal::Stop(_)) {} };
        let input = stdin().as_fd().try_clone_to_owned().map_err(odd)?;
        let served = if let Some(stream) = socket(&input)? {
            authorize::admit(&stream).map_err(CommandError::System)?;
            let (input, output) = stream.into_split();
            let unit = RunnerEnvironment {
                credentials: std::env::var("CREDENTIALS_DIRECTORY").ok(),
                locks: std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from),
            };
            runner::serve(&cli.config, unit, input, output, ended).await
        } else {
            let output = stdout().as_fd().try_clone_to_owned().map_err(odd)?;
            let input = Receiver::from_owned_fd(input).map_err(odd)?;
            let output = Sender::from_owned_fd(output).map_err(odd)?;
            // A child inherits the service's environment, but hooks must not get its credentials.
            let child = RunnerEnvironment {
                credentials: None,
                locks: std::env::var_os(LOCKS).map(PathBuf::from),
            };
            runner::serve(&cli.config, child, input, output, ended).await
        };
        served.map_err(CommandError::System)?;
        Ok(Exit::Good)
    })
}

/// Returns the input as a bidirectional stream if it is a socket.
fn socket(input: &OwnedFd) -> Result<Option<UnixStream>, CommandError> {
    let stream = StdStream::from(input.try_clone().map_err(odd)?);
    if stream.local_addr().is_err() {
        return Ok(None);
    }
    stream.set_nonblocking(true).map_err(odd)?;
    UnixStream::from_std(stream).map(Some).map_err(odd)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err passes a value")]
fn odd(error: std::io::Error) -> CommandError {
    CommandError::System(format!(
        "hook-runner is started by the service, not by hand: {error}"
    ))
}

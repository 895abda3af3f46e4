//! `hook-runner`: the process that has one hold. The service begins it, by a socket of
//! systemd's or as a child; nobody does so by hand, so no help shows it.

use std::io::{stdin, stdout};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};

use super::{Cli, Exit, block_on};
use crate::daemon::{self, CommandError, Signal};
use crate::hooks::authorize;
use crate::hooks::runner::{self, UnitEnvironment};

/// Good when the hold was served to its end.
pub fn run(cli: &Cli) -> Result<Exit, CommandError> {
    block_on(async {
        let mut signals = daemon::listen()?;
        let ended = async move { while !matches!(signals.next().await, Signal::Stop(_)) {} };
        let input = stdin().as_fd().try_clone_to_owned().map_err(odd)?;
        let served = if let Some(stream) = socket(&input)? {
            authorize::admit(&stream).map_err(CommandError::System)?;
            let (input, output) = stream.into_split();
            let unit = UnitEnvironment {
                credentials: std::env::var("CREDENTIALS_DIRECTORY").ok(),
                locks: std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from),
            };
            runner::serve(&cli.config, unit, input, output, ended).await
        } else {
            let output = stdout().as_fd().try_clone_to_owned().map_err(odd)?;
            let input = Receiver::from_owned_fd(input).map_err(odd)?;
            let output = Sender::from_owned_fd(output).map_err(odd)?;
            // A child of the service is told nothing of the service's own credentials.
            runner::serve(
                &cli.config,
                UnitEnvironment::default(),
                input,
                output,
                ended,
            )
            .await
        };
        served.map_err(CommandError::System)?;
        Ok(Exit::Good)
    })
}

/// The input as a stream of both directions, if it is a socket.
fn socket(input: &OwnedFd) -> Result<Option<UnixStream>, CommandError> {
    let stream = StdStream::from(input.try_clone().map_err(odd)?);
    if stream.local_addr().is_err() {
        return Ok(None);
    }
    stream.set_nonblocking(true).map_err(odd)?;
    UnixStream::from_std(stream).map(Some).map_err(odd)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn odd(error: std::io::Error) -> CommandError {
    CommandError::System(format!("it is begun by the service, not by hand: {error}"))
}

//! `protect SERVER SNAPSHOT`, `unprotect SERVER SNAPSHOT`: keeps the rotation from deleting a
//! snapshot, and ends that.

use super::resolve::Target;
use crate::cli::pause::state_dir;
use crate::cli::{
    Cli, Exit, absolute, block_on, caller, control_socket, of_service, printable_name, say,
    server_argument,
};
use crate::core::ordered_protection::OrderedProtection;
use crate::daemon::{CommandError, run_exclusive};
use crate::engine::{ProtectionError, ProtectionResult};
use crate::status;
use crate::status::control_requests::{ProtectRequest, UnprotectRequest};

/// Arguments of `protect` and `unprotect`.
#[derive(Debug, clap::Args)]
pub struct Protect {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// The snapshot: its id or its name
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: String,
}

/// Protects the snapshot. Returns `Good` also if it was protected before.
pub fn protect(cli: &Cli, args: &Protect) -> Result<Exit, CommandError> {
    let target = Target::of(cli, &args.server)?;
    let row = target.snapshot(&args.snapshot)?;
    let protection = OrderedProtection::of(row);
    let done = protected(&target, protection)?;
    let what = format!("{} (id {}) of {}", done.snapshot, done.id, target.called());
    let also = done.policy.map_or_else(String::new, |file| {
        format!("; protect in {file}.toml lists it too")
    });
    let until = format!(
        "until snaprotate unprotect {} {}",
        printable_name(&args.server),
        done.id
    );
    say(&if done.already {
        format!("{what} was protected already, {until}{also}")
    } else {
        format!("{what} is protected {until}{also}")
    })?;
    Ok(Exit::Good)
}

/// Ends the protection by order. Returns `Good` if the snapshot had one.
pub fn unprotect(cli: &Cli, args: &Protect) -> Result<Exit, CommandError> {
    let done = unprotected(cli, args)?;
    let what = format!(
        "{} (id {}) of {}",
        done.snapshot,
        done.id,
        printable_name(&args.server)
    );
    say(&match done.policy {
        None => format!(
            "{what} is no longer protected: its rotation, if it has one, counts it and may delete it"
        ),
        Some(file) => format!(
            "{what} is no longer protected by order, but stays protected: protect in {file}.toml lists it"
        ),
    })?;
    Ok(Exit::Good)
}

/// Sends the order to the running service, or carries it out in this process if none runs.
fn protected(
    target: &Target,
    protection: OrderedProtection,
) -> Result<ProtectionResult, CommandError> {
    let server = target.policy.server.clone();
    let request = ProtectRequest {
        server: server.clone(),
        state_dir: absolute(&target.config.state_dir),
        protection,
    };
    let socket = control_socket();
    if let Some(done) = of_service(status::protect(&socket, &request))? {
        return Ok(done);
    }
    let protection = OrderedProtection {
        by: Some(caller()),
        ..request.protection
    };
    let config = target.config.clone();
    let work = run_exclusive(config, "protect", async |engine| {
        let done = engine.protect(&server, protection).await;
        done.map_err(|why| refused(&why))
    });
    block_on(work)?
}

/// Does the same as [`protected`] for the end of a protection.
fn unprotected(cli: &Cli, args: &Protect) -> Result<ProtectionResult, CommandError> {
    let request = UnprotectRequest {
        server: args.server.clone(),
        snapshot: args.snapshot.clone(),
        state_dir: state_dir(cli),
    };
    let socket = control_socket();
    if let Some(done) = of_service(status::unprotect(&socket, &request))? {
        return Ok(done);
    }
    let config = cli.load()?;
    let policy = server_argument::one(&config.policies, &args.server)?;
    let (server, by) = (policy.server.clone(), caller());
    let work = run_exclusive(config, "unprotect", async |engine| {
        let done = engine.unprotect(&server, &args.snapshot, &by).await;
        done.map_err(|why| refused(&why))
    });
    block_on(work)?
}

fn refused(why: &ProtectionError) -> CommandError {
    let text = why.to_string();
    match why {
        ProtectionError::NoPolicy
        | ProtectionError::Ambiguous { .. }
        | ProtectionError::NotProtected { .. } => CommandError::Settings(text),
        _ => CommandError::System(text),
    }
}

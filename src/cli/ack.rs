//! `ack`: acknowledges alerts, so that receivers get no repeats of them.

use jiff::tz::TimeZone;

use super::pause::state_dir;
use super::{
    Cli, Exit, block_on, caller, control_socket, of_service, order_terms, printable_name, say,
    server_argument,
};
use crate::core::order_terms::OrderTerms;
use crate::core::sanitize::local;
use crate::daemon::{CommandError, run_exclusive};
use crate::engine::{AckError, AckResult};
use crate::status;
use crate::status::control_requests::AckRequest;

/// Arguments of `ack`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Only alerts of this kind, such as stale [default: all that are active]
    #[arg(value_name = "ALERT")]
    pub alert: Option<String>,
    /// How long the acknowledgement lasts: 90m, 12h, 3d [default: as long as the alert]
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<String>,
    /// A note for others, at most 200 characters, which status and the page show
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Acknowledges the alerts and names them.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let until = args.length.as_deref();
    let until = until.map(|typed| order_terms::after("--for", typed));
    let terms = OrderTerms {
        by: None,
        until: until.transpose()?,
        note: order_terms::note(args.note.as_ref())?,
    };
    let ends = match terms.until {
        Some(until) => format!("until {}", local(until, &TimeZone::system())),
        None => "as long as it is active".to_owned(),
    };
    let done = ordered(cli, args, terms)?;
    let server = printable_name(&args.server);
    let lines = done.alerts.iter();
    let lines =
        lines.map(|alert| format!("{alert} of {server} is acknowledged: no repeats {ends}"));
    say(&lines.collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Good)
}

/// Sends the order to the running service, or carries it out in this process if none runs.
fn ordered(cli: &Cli, args: &Args, terms: OrderTerms) -> Result<AckResult, CommandError> {
    let request = AckRequest {
        server: args.server.clone(),
        alert: args.alert.clone(),
        until: terms.until,
        note: terms.note.clone(),
        state_dir: state_dir(cli),
    };
    let socket = control_socket();
    if let Some(done) = of_service(status::acknowledge(&socket, &request))? {
        return Ok(done);
    }
    let config = cli.load()?;
    let policy = server_argument::one(&config.policies, &args.server)?;
    let server = policy.server.clone();
    let by = Some(caller());
    let terms = OrderTerms { by, ..terms };
    let work = run_exclusive(config, "ack", async |engine| {
        let done = engine.acknowledge(&server, args.alert.as_deref(), terms);
        done.await.map_err(|why| match why {
            AckError::NoPolicy | AckError::Unknown { .. } => {
                CommandError::Settings(why.to_string())
            }
            AckError::Trail(_) | AckError::NotActive { .. } | AckError::Nothing => {
                CommandError::System(why.to_string())
            }
        })
    });
    block_on(work)?
}

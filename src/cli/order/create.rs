//! `create SERVER NAME`: makes a snapshot outside of the rotation.

use jiff::Timestamp;

use super::resolve::{Target, local, undone};
use crate::cli::{Cli, Exit, order_terms, printable_name, say};
use crate::core::listing_discrepancies::stored_otherwise;
use crate::core::name_pattern;
use crate::core::operator_order::Order;
use crate::core::server_event::Outcome;
use crate::core::snapshot::{CREATE_TAKES, Snapshot, Status};
use crate::daemon::CommandError;

/// Longest name. The provider documents no limit; this is a common one, and rotations' names are
/// much shorter.
const LONGEST_NAME: usize = 255;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// The snapshot's name: letters, digits, hyphens, underscores; not a name that a rotation's
    /// slot could have
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A description, which the provider stores with the snapshot
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Delete the snapshot once it is this old: 12h, 7d [default: never]
    #[arg(long, value_name = "TIME")]
    pub expire: Option<String>,
    /// Wait until the snapshot is completed, usually 3 to 10 minutes
    #[arg(long)]
    pub wait: bool,
}

/// Sends the create. Returns `Good` if the provider began it; with `--wait`, if it is completed.
pub fn create(cli: &Cli, args: &Create) -> Result<Exit, CommandError> {
    let length = args.name.chars().count();
    if length > LONGEST_NAME || !name_pattern::is_accepted(&args.name) {
        return Err(CommandError::Settings(format!(
            "a snapshot's name has 1 to {LONGEST_NAME} letters, digits, hyphens or underscores; {} is not allowed",
            printable_name(&args.name)
        )));
    }
    let expires = args.expire.as_deref();
    let expires = expires.map(|typed| order_terms::after("--expire", typed));
    let expires = expires.transpose()?;
    let mut target = Target::of(cli, &args.server)?;
    let order = Order::Create {
        snapshot: args.name.clone().into(),
        spare: None,
        description: args.description.clone(),
        expires,
    };
    let wait = "waiting; the snapshot is made even if you end this command";
    make(&mut target, order, args.wait.then_some(wait))
}

/// Creates a snapshot. If `wait` is given, prints it and waits until the snapshot is completed.
pub(super) fn make(
    target: &mut Target,
    order: Order,
    wait: Option<&str>,
) -> Result<Exit, CommandError> {
    let (name, expires) = match &order {
        Order::Create {
            snapshot, expires, ..
        } => (snapshot.clone(), *expires),
        Order::Delete { .. } | Order::Restore { .. } => ("".into(), None),
    };
    let expires = expires.map(|at| format!("; it expires on {}", local(at)));
    let expires = expires.unwrap_or_default();
    let sent = target.clock.now().wall;
    let answer = target.order(order)?;
    let what = format!("create {name} of {}", target.called());
    let (Some(Outcome::Done), Some(id)) = (answer.outcome, answer.id.clone()) else {
        say(&undone(&answer, &what, "with snaprotate list"))?;
        return Ok(Exit::Bad);
    };
    say(&format!(
        "{name} (id {id}) of {} is being made, which usually takes {CREATE_TAKES}{expires}{}",
        target.called(),
        wait.map_or(String::new(), |wait| format!("; {wait}"))
    ))?;
    if wait.is_none() {
        return Ok(Exit::Good);
    }
    let clock = target.clock.clone();
    let (text, exit) = match target.finished(&id, &name)? {
        Some(row) => ended(row, &name, sent, clock.now().wall),
        None => (
            "is not completed yet, or is no longer listed: check with snaprotate list".to_owned(),
            Exit::Bad,
        ),
    };
    say(&format!("{name} (id {id}) of {} {text}", target.called()))?;
    Ok(exit)
}

/// Returns what became of the snapshot whose create was sent at `sent`.
fn ended(row: &Snapshot, name: &str, sent: Timestamp, now: Timestamp) -> (String, Exit) {
    match &row.status {
        Status::Completed => match stored_otherwise(name, row, Some(sent), now) {
            Some(otherwise) => (format!("is completed, but {otherwise}"), Exit::Bad),
            None => ("is completed".to_owned(), Exit::Good),
        },
        Status::Failed => ("failed, according to the provider".to_owned(), Exit::Bad),
        status => (
            format!(
                "has the status {:?}, which is not documented",
                status.word()
            ),
            Exit::Bad,
        ),
    }
}

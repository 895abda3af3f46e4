//! `delete SERVER SNAPSHOT`: shows one snapshot, asks for confirmation and deletes it.

use super::confirm;
use super::resolve::{Target, undone};
use crate::cli::{Cli, Exit, printable_name, say};
use crate::core::operator_order::Order;
use crate::core::server_event::Outcome;
use crate::core::snapshot::{Snapshot, Status};
use crate::daemon::CommandError;

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// The snapshot: its id or its name
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: String,
    /// Don't ask for the server's name
    #[arg(long)]
    pub yes: bool,
}

/// Deletes the snapshot. Returns `Good` when listings no longer show it.
pub fn delete(cli: &Cli, args: &Delete) -> Result<Exit, CommandError> {
    let mut target = Target::of(cli, &args.server)?;
    let row = target.snapshot(&args.snapshot)?.clone();
    let name = printable_name(&row.name);
    let what = format!("{name} (id {}) of {}", row.id, target.called());
    let order = Order::Delete {
        snapshot: row.name.clone().into(),
        id: row.id.clone(),
    };
    if let Some(refusal) = target.ruled_out(&order) {
        say(&undone(&refusal, &format!("delete {what}"), ""))?;
        return Ok(Exit::Bad);
    }
    let mut text = format!("This permanently deletes:\n{}", target.described(&row));
    if last_completed(&target.inventory.snapshots, &row) {
        text.push_str("\n  ATTENTION  it is the only completed snapshot of this server");
    }
    say(&text)?;
    if !confirm::by_name(&target.called(), "delete the snapshot", args.yes)? {
        say("nothing was done")?;
        return Ok(Exit::Bad);
    }
    let answer = target.order(order)?;
    // Nothing was sent, so nothing can have changed.
    if answer.outcome.is_none() {
        say(&undone(&answer, &format!("delete {what}"), ""))?;
        return Ok(Exit::Bad);
    }
    let done = answer.outcome == Some(Outcome::Done);
    let (text, exit) = match (done, target.gone(&row.id)) {
        (true, Ok(true)) => (format!("{what} is deleted"), Exit::Good),
        (true, Ok(false)) => (
            format!(
                "{what}: the provider reported the delete as done, but still lists the snapshot: check again with snaprotate list"
            ),
            Exit::Bad,
        ),
        (true, Err(why)) => (
            format!(
                "{what}: the provider reported the delete as done, but whether it still lists the snapshot is unknown: {why}"
            ),
            Exit::Bad,
        ),
        (false, gone) => {
            let mut text = undone(&answer, &format!("delete {what}"), "with snaprotate list");
            if matches!(gone, Ok(true)) {
                text.push_str("; but the snapshot is no longer listed");
            }
            (text, Exit::Bad)
        }
    };
    say(&text)?;
    Ok(exit)
}

fn last_completed(rows: &[Snapshot], row: &Snapshot) -> bool {
    let completed = |s: &&Snapshot| s.status == Status::Completed;
    row.status == Status::Completed && rows.iter().filter(completed).count() == 1
}

//! `restore SERVER SNAPSHOT`: overwrites a server after confirmation. A restore is sent at most
//! once.

use super::confirm;
use super::create::make;
use super::resolve::{Target, local, undone};
use super::wait::RestoreEnding;
use crate::cli::{Cli, Exit, printable_name, say};
use crate::core::operator_order::Order;
use crate::core::server_event::Outcome;
use crate::core::snapshot::{RESTORE_TAKES, SnapshotId};
use crate::daemon::CommandError;

/// Arguments of `restore`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is a command-line switch"
)]
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// The snapshot: its id or its name
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: String,
    /// Don't ask for the server's name
    #[arg(long)]
    pub yes: bool,
    /// First take a snapshot of the server as it is now, and wait for it; if there is room
    /// for it, and neither --safety nor --no-safety is given, you are asked whether to take it
    #[arg(long, conflicts_with = "no_safety")]
    pub safety: bool,
    /// Don't take a snapshot of the server first, and don't ask
    #[arg(long)]
    pub no_safety: bool,
    /// Wait until the provider reports the end of the restore, usually 5 to 15 minutes
    #[arg(long)]
    pub wait: bool,
}

/// Restores the server. Returns `Good` if the provider began the restore; with `--wait`, if it is
/// over.
pub fn restore(cli: &Cli, args: &Restore) -> Result<Exit, CommandError> {
    let mut target = Target::of(cli, &args.server)?;
    let row = target.snapshot(&args.snapshot)?.clone();
    let name = printable_name(&row.name);
    let order = Order::Restore {
        snapshot: row.name.clone().into(),
        id: row.id.clone(),
    };
    if let Some(refusal) = target.ruled_out(&order) {
        let what = format!("restore {name} (id {}) of {}", row.id, target.called());
        say(&undone(&refusal, &what, ""))?;
        return Ok(Exit::Bad);
    }
    let made = row
        .created_at
        .map_or("the snapshot was made".to_owned(), local);
    say(&format!(
        "This overwrites everything on the server, and can't be undone:\n{}\n  lost       everything written to the server since {made}\n  meanwhile  the provider stops the server; the restore usually takes {RESTORE_TAKES}",
        target.described(&row)
    ))?;
    if !confirm::by_name(&target.called(), "restore it", args.yes)? {
        say("nothing was done")?;
        return Ok(Exit::Bad);
    }
    if safety(&target, args)? {
        return safely(&mut target, args, &name, &row.id);
    }
    send(&target, args, &name, &row.id)
}

/// Returns true if a snapshot of the current state is to be taken first.
fn safety(target: &Target, args: &Restore) -> Result<bool, CommandError> {
    if args.safety || args.no_safety {
        return Ok(args.safety);
    }
    let (held, limit) = (target.inventory.snapshots.len(), target.config.rules.limit);
    if args.yes || !confirm::can_ask() {
        return Ok(false);
    }
    if held >= limit {
        say(&format!(
            "there is no room for a snapshot of the current state: {held} of {limit} places are taken"
        ))?;
        return Ok(false);
    }
    confirm::yes_unless("First take a snapshot of the server as it is now?")
}

/// Takes a snapshot of the current state, then restores. Meanwhile the order keeps the rotation
/// from deleting the snapshot that is to be restored.
fn safely(
    target: &mut Target,
    args: &Restore,
    name: &str,
    id: &SnapshotId,
) -> Result<Exit, CommandError> {
    let now = target.clock.now().wall.strftime("%Y%m%d-%H%M%S");
    let safety = format!("before-restore-{now}");
    let order = Order::Create {
        snapshot: safety.clone().into(),
        spare: Some(id.clone()),
        description: None,
        expires: None,
    };
    let wait = "waiting; the restore begins when this snapshot is completed: if you end this command first, nothing is restored";
    let made = make(target, order, Some(wait));
    if !matches!(made, Ok(Exit::Good)) {
        say(&format!(
            "{} was not restored, because the snapshot of its current state is not confirmed as completed",
            target.called()
        ))?;
        return made;
    }
    let sent = send(target, args, name, id);
    say(&format!(
        "{safety} takes up a place until you delete it; once restore_window is over, run snaprotate delete {} {safety}",
        target.policy.argument()
    ))?;
    sent
}

fn send(
    target: &Target,
    args: &Restore,
    name: &str,
    id: &SnapshotId,
) -> Result<Exit, CommandError> {
    let answer = target.order(Order::Restore {
        snapshot: target.snapshot(&id.to_string())?.name.clone().into(),
        id: id.clone(),
    })?;
    let called = target.called();
    if answer.outcome != Some(Outcome::Done) {
        let what = format!("restore {name} (id {id}) of {called}");
        say(&undone(&answer, &what, "on the server and at the provider"))?;
        return Ok(Exit::Bad);
    }
    let window = target.config.rules.restore_window;
    say(&format!(
        "{called} is being restored from {name} (id {id}); its rotation changes nothing for {window:#}"
    ))?;
    if !args.wait {
        return Ok(Exit::Good);
    }
    say(&format!(
        "waiting until the provider reports the end of the restore, usually after {RESTORE_TAKES}; the restore goes on even if you end this command"
    ))?;
    let (text, exit) = match target.restored()? {
        RestoreEnding::Over(word) => (
            format!(
                "was restored from {name} (id {id}); the provider reports the server as {word}"
            ),
            Exit::Good,
        ),
        RestoreEnding::Still => (
            "is still being restored according to the provider: check there".to_owned(),
            Exit::Bad,
        ),
        RestoreEnding::Untold(why) => (
            format!(
                "is being restored, but whether the restore is over is unknown: {why}; check at the provider"
            ),
            Exit::Bad,
        ),
    };
    say(&format!("{called} {text}"))?;
    Ok(exit)
}

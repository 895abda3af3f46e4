//! The notes of the commands that an operator gives orders by; see `help_text`.

pub(super) const PAUSE: &str = "\
A pause outlasts restarts. Operators' orders (create, delete, restore) are still
carried out, and slots that pass meanwhile raise no alert. What was begun before
is named, and watched to its end.

Exit codes:
  0  paused
  1  it can't be recorded, or the service can't be asked
  2  configuration or usage, an unknown server

Examples:
  snaprotate pause
      before work at the provider: nothing is created or deleted
  snaprotate pause --server web-server-01
      one server alone";

pub(super) const RESUME: &str = "\
The newest slot that passed is run at once, if its catch_up allows it; older ones
are not. The clock counts as right from here on: that ends a block by an intent
that a wrong clock dated ahead. A server that was paused by itself stays so until
it is resumed by its name.

With --server, on a server that is not paused, it says that you have looked: what an
alert asks for is agreed to, and each thing is named that is. A snapshot that the
provider stores otherwise than asked for counts as seen to; snapshots beyond keep
that nothing new has replaced are deleted; a full server may be pruned for a slot
again; a restore of which nobody knows the outcome counts as over.

Exit codes:
  0  resumed; or it isn't paused, and nothing is recorded
  1  it can't be recorded, every server is paused and one was named, or the
     service can't be asked
  2  configuration or usage, an unknown server

Examples:
  snaprotate resume
      the end of snaprotate pause
  snaprotate resume --server web-server-01
      the end of snaprotate pause --server web-server-01";

pub(super) const CREATE: &str = "\
The snapshot is foreign to every rotation: it takes up room, and isn't pruned while
no rotation's pattern gives its name.
It is refused while something else is under way on the server, where there is no
room, and where the name is taken or could be a slot's.

Exit codes:
  0  the provider makes it; with --wait: it is completed
  1  it was refused or failed, or isn't completed
  2  configuration or usage, an unknown server

Examples:
  snaprotate create web-server-01 before-upgrade --wait
      and go on with the upgrade when it is there";

pub(super) const DELETE: &str = "\
Exactly the snapshot that is shown is deleted, whether a rotation's or not; one
that the policy protects is not. It is sent once.

Exit codes:
  0  deleted
  1  it was refused, failed, isn't known, or wasn't confirmed: also where there is
     no terminal to confirm on and no --yes
  2  configuration or usage, an unknown server or snapshot

Examples:
  snaprotate delete web-server-01 before-upgrade
      shows it, and asks for the server's name
  snaprotate delete web-server-01 801 --yes
      by its id, from a script";

pub(super) const RESTORE: &str = "\
Everything on the server is overwritten with the snapshot; the provider stops it
for that. The order is sent once, whatever comes back. Afterwards the rotation
leaves the server alone for restore_window. With --safety, rotation spares what
is to be restored while the snapshot of the present state is made. Whether it is
over shows in the provider's list of servers alone, GET /servers/: where there is
none, --wait ends at once.

Exit codes:
  0  the provider restores it; with --wait: it is over
  1  it was refused, failed, isn't known, or wasn't confirmed: also where there is
     no terminal to confirm on and no --yes; with --wait also: it isn't over yet,
     or whether it is can't be told
  2  configuration or usage, an unknown server or snapshot

Examples:
  snaprotate restore web-server-01 weekly-snapshot-2026-11-22 --wait
      shows what will be lost, and asks for the server's name";

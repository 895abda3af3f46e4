//! Texts below the options of the commands that give an order; see `help_text`.

pub(super) const PAUSE: &str = "\
A pause lasts until resume, or until the time given with --until or --for; the
host's clock decides, also across restarts. To change the end or the note, pause
again: the start stays, and without --until and --for only resume ends the
pause. A server's pause and a pause of all end each at its own time; no work
begins until both have ended.

Operators' orders (create, delete, restore) are still carried out, and slots
that pass during the pause raise no alert. Operations that began before the
pause are listed, and followed until they end.

Exit codes:
  0  paused
  1  the pause can't be recorded, or the service can't be reached
  2  configuration or usage error, unknown server

Examples:
  snaprotate pause
      before work at the provider: nothing is created or deleted
  snaprotate pause web-server-01
      only one server
  snaprotate pause web-server-01 --for 3d --note \"migration, ask Ann\"
      ends by itself after three days";

pub(super) const RESUME: &str = "\
The newest slot that passed runs at once if its catch_up allows it; older slots
don't. From then on, the clock counts as correct. This ends a block caused by an
intent that a wrong clock dated in the future. A server that was paused by name
stays paused until it is resumed by name.

For a named server that is not paused, resume confirms that you have
checked its alerts. It agrees to what the alerts ask for, and names each thing
that it agrees to. A snapshot that the provider stores differently from the
request counts as handled. A restore with an unknown outcome counts as over. A
resume that does none of this agrees to deletions: snapshots beyond keep that no
new snapshot has replaced are deleted, and a full server may be pruned for a
slot again. If it agreed to something else, run it again to agree to deletions.

Exit codes:
  0  resumed; or there was nothing to resume, and nothing is recorded
  1  the resume can't be recorded, one server was named while every server is
     paused, or the service can't be reached
  2  configuration or usage error, unknown server

Examples:
  snaprotate resume
      ends snaprotate pause
  snaprotate resume web-server-01
      ends snaprotate pause web-server-01";

pub(super) const RETRY: &str = "\
Opens the newest slot of each rotation again if it was given up, was skipped, or
waits for its next attempt. Its attempts begin anew, and it runs at once even if
its catch_up time has passed, until the next slot is due. Older slots can't be
tried again: a new snapshot must not have the name of an earlier slot. The retry
is recorded in the trail.
Without a running service, the next run or once tries the slot.

Exit codes:
  0  at least one slot is tried again
  1  each newest slot has its snapshot, is being made or has not been due yet;
     the retry can't be recorded; or the service can't be reached
  2  configuration or usage error, unknown server or rotation

Examples:
  snaprotate retry web-server-01
      after the cause of the alert slot_failed was removed
  snaprotate retry web-server-01 daily
      only this rotation";

pub(super) const ACK: &str = "\
Receivers get no repeats of an acknowledged alert as long as it is active, or
until the time given with --for. Status and the page show who has acknowledged
it, and the note. The acknowledgement ends with the alert. Receivers are still
notified if the alert's text changes, if another alert is raised on the server,
and when the alert is over. An acknowledgement changes nothing else: the alert
stays active, and status still exits with 1. It is recorded in the trail, and
survives restarts. Acknowledge again to change its end or its note.

Exit codes:
  0  acknowledged
  1  no such alert is active; the acknowledgement can't be recorded; or the
     service can't be reached
  2  configuration or usage error, unknown server or alert

Examples:
  snaprotate ack web-server-01
      every active alert of the server
  snaprotate ack web-server-01 slot_failed --for 3d --note \"ticket 4711\"
      reminds of it again after three days";

pub(super) const CREATE: &str = "\
The snapshot is foreign to every rotation: it takes up room, and isn't pruned as
long as no rotation's pattern gives its name. The order is refused if another
operation is in progress on the server, if there is no room, or if the name is
taken or could be a slot's.

With --expire, the running service deletes the snapshot when its time is over,
or the next once after that. It deletes only the snapshot with the recorded id,
and only if its name and date are still as recorded, nothing protects it, and
the server holds another completed snapshot. Delete a snapshot that fails by
hand: it doesn't expire.

Exit codes:
  0  accepted by the provider; with --wait: completed
  1  refused, failed, not completed, or unknown outcome
  2  configuration or usage error, unknown server

Examples:
  snaprotate create web-server-01 before-upgrade --wait
      then go on with the upgrade
  snaprotate create web-server-01 before-upgrade --expire 7d
      needs no delete after the upgrade";

pub(super) const DELETE: &str = "\
Deletes exactly the snapshot that is shown, own or foreign, but none that the
policy protects. The request is sent only once.

Exit codes:
  0  deleted
  1  refused, failed, unknown outcome, or not confirmed; also if there is no
     terminal to confirm on and no --yes
  2  configuration or usage error, unknown server or snapshot

Examples:
  snaprotate delete web-server-01 before-upgrade
      shows it, and asks for the server's name
  snaprotate delete web-server-01 801 --yes
      by its id, from a script";

pub(super) const RESTORE: &str = "\
The snapshot overwrites everything on the server; the provider stops the server
meanwhile. The request is sent only once, whatever the answer. Afterwards the
rotation changes nothing on the server for restore_window. With --safety, the
rotation doesn't delete the snapshot to restore while the snapshot of the
current state is being made. Only the provider's list of servers, GET /servers/,
shows when the restore is over; without that list, --wait ends at once.

Exit codes:
  0  accepted by the provider; with --wait: the restore is over
  1  refused, failed, unknown outcome, or not confirmed; also if there is no
     terminal to confirm on and no --yes; with --wait also: the restore isn't
     over yet, or whether it is over is unknown
  2  configuration or usage error, unknown server or snapshot

Examples:
  snaprotate restore web-server-01 weekly-snapshot-2026-11-22 --wait
      shows what will be lost, and asks for the server's name";

pub(super) const PROTECT: &str = "\
The snapshot, own or foreign, stays protected as if protect in the policy listed
its id: the rotation doesn't delete it, keep doesn't count it, and delete refuses
it. It takes up its place. The order is recorded in the trail, and holds until
unprotect, also across restarts and while no listing shows the snapshot.

Exit codes:
  0  protected, or protected by order already
  1  its delete was sent before; the order can't be recorded; the listing or
     the service can't be reached
  2  configuration or usage error, unknown server or snapshot

Examples:
  snaprotate protect web-server-01 weekly-snapshot-2026-11-22
      keeps the last snapshot before an incident";

pub(super) const UNPROTECT: &str = "\
Ends what protect began, even if the snapshot is no longer listed. A snapshot
that protect in the policy's file lists is unprotected there. If the snapshot is
then beyond keep, the alert shrink names it. It is deleted when a newer snapshot
replaces it, or after snaprotate resume agrees.

Exit codes:
  0  no longer protected by order
  1  only the policy protects it; the order can't be recorded, or the service
     can't be reached
  2  configuration or usage error, unknown server, a snapshot that no order
     protects

Examples:
  snaprotate unprotect web-server-01 weekly-snapshot-2026-11-22";

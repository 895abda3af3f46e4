//! Text below the options in the help and the manual page of `report`, in the form of `help_text`.

pub(super) const REPORT: &str = "\
The report counts the records of the audit trail. The running service adds what
exists now: recovery points, health, sizes and next slots. Without it, these are
left out. A receiver with report = \"weekly\" gets the same regularly.

A recovery point is an own copy. A copy is fresh until the age in alert_after,
or else one and a half times the longest time between two slots of the most
frequent rotation. Foreign copies that no longer exist don't count.

Columns of the table: PTS recovery points; OLDEST and NEWEST of them; FRESH the
share of the period with a fresh copy; MADE snapshots completed; DEL snapshots
deleted; FAIL slots without a snapshot. More than 20 servers have no table.

Exit codes:
  0  nothing needs you
  1  a server or the service needs you, or a part of the trail can't be read
  2  configuration or usage error

Examples:
  snaprotate report --since 30d
      the last thirty days
  snaprotate report --since 2026-11-01 --until 2026-11-30 --csv >november.csv
      November, with a row for each server
  snaprotate report --json | jq '.servers[] | select(.fresh_seconds < .watched_seconds) | .name'
      the servers that had no fresh copy for a while";

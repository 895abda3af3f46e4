//! Texts below the options in `--help` and in the manual pages: exit codes, examples, files,
//! environment, signals.
//!
//! `manual` parses this form. A line without indent that ends with a colon is a heading. Below it,
//! a line with an indent of two begins an entry, with its text after two or more spaces. A deeper
//! line continues the text.

pub(super) const TOP: &str = "\
Exit codes:
  0  success: nothing is wrong
  1  something is wrong, and the output says what; every command also returns 1
     if its output can't be written
  2  configuration or usage error: an administrator must correct it
  3  status only: the service isn't running

Files:
  /etc/snaprotate/snaprotate.toml
      the main configuration file; relative paths in it are resolved from its
      folder
  /etc/snaprotate/policies.d/*.toml
      the policies, one file for each server
  /var/lib/snaprotate
      the lock; the head of the trail, which reveals a cut tail; the learned shape
      of the provider's answers
  /var/log/snaprotate/audit-YYYY-MM.jsonl
      the audit trail, one JSON object per line

Environment:
  SNAPROTATE_LOG  the log level, unless --log is given
  STATE_DIRECTORY, LOGS_DIRECTORY
      the folders of state and trail, unless the configuration names them;
      systemd sets both
  RUNTIME_DIRECTORY
      the folder of the running service's control socket, instead of
      /run/snaprotate; systemd sets it for the service, and a command needs it
      only for a service with another folder
  CREDENTIALS_DIRECTORY
      where systemd puts credentials: api-token takes precedence over
      token_file, and witness-key over key_file
  NO_COLOR  no colours, if it is not empty
  TZ  the time zone of times in the output, and of times given to audit show

Examples:
  snaprotate demo
      watch it rotate for half a minute; needs no files and no account
  snaprotate init --dry-run --token-file ./token
      first policies, made from the account's snapshots
  snaprotate check && snaprotate plan
      what would be done now, and why; changes nothing";

pub(super) const RUN: &str = "\
Exit codes:
  0  ended by a signal
  1  failed, for example because another process holds the lock; or cut short
     by a second signal
  2  configuration or usage error

Signals:
  SIGHUP  read the configuration again; a configuration with a mistake is
      refused as a whole, the old one stays in force, and an alert says why
  SIGTERM, SIGINT
      begin no other change, wait for the answer to the call in progress, record
      it, start each server that was stopped for a snapshot, and exit; a second
      signal exits at once

Examples:
  systemctl enable --now snaprotate
      run it as a service
  systemctl reload snaprotate
      apply edited files";

pub(super) const ONCE: &str = "\
A run waits for new snapshots to be completed, for settle_window where a create
may still take effect, and for retry_after between attempts. It can therefore
take as long as all attempts of a slot together.

Exit codes:
  0  each rotation's newest due slot is settled by a completed snapshot, and no
      alert is active
  1  otherwise; the last lines on stderr name the alerts and the slots
  2  configuration or usage error

Examples:
  snaprotate once --log warn
      from a timer or another scheduler, instead of the service";

pub(super) const CHECK: &str = "\
The provider's listing doesn't include a server without snapshots. With
--online, whether such a server exists under its name may be unknown; this is
reported as a note, not as a problem.

Exit codes:
  0  no problems, though there may be warnings
  1  with --online: the files are valid, but don't fit the account, or the API
      can't be read
  2  problems in the files, each with file, line, column and remedy

Examples:
  snaprotate check --config ./snaprotate.toml
      before you install the files
  snaprotate check --online
      does the token work, and is there room for the snapshots to keep?
  snaprotate check --json --online | jq '.online.problems'
      for another program";

pub(super) const LIST: &str = "\
Name a server without a policy by its id, or by the provider's name for it.
Until the first policy is written, every snapshot is foreign.

A snapshot is own if its name matches a pattern of a rotation in force, or one
of its former_names. Every other snapshot is foreign, and the rotation never
changes it. list goes by the current names alone, so it may show as own a
snapshot that had a foreign name before. The rotation treats such a snapshot as
foreign, as snaprotate plan shows.

Times are local (TZ); on a terminal that is too narrow for them, only ages are
shown. If a listing can't be relied on, it is shown with the reason.

Exit codes:
  0  listed
  1  the API can't be read
  2  configuration or usage error, unknown server

Examples:
  snaprotate list
      all snapshots of the account
  snaprotate list web-server-01
      one server; its id works too, even without a policy
  snaprotate list --json | jq '.servers[] | select(.counts.total >= .limit) | .name'
      the servers that are full";

pub(super) const INIT: &str = "\
At its first look, the service announces the oldest snapshots of a recognised
pattern beyond keep, and prunes them after shrink_grace (1 hour): run plan first
to see which. Stop whatever has been making these snapshots; otherwise it and
the service both make them. A server without snapshots is in no listing, and
gets no file.

Exit codes:
  0  files written or printed
  1  the API can't be read, or a file can't be written; then no file is written
  2  usage error, a file that already exists, or existing files with mistakes

Examples:
  snaprotate init --dry-run --token-file ./token
      see what would be written; an ordinary user may do this
  snaprotate init --token-file /etc/snaprotate/api-token
      write /etc/snaprotate/snaprotate.toml and policies.d
  snaprotate init --token-file ./token --dir ./draft
      write to another folder";

pub(super) const PLAN: &str = "\
Times are in the local time zone (TZ); with --json they are in UTC.

Exit codes:
  0  planned
  1  the API can't be read, or a server is blocked
  2  configuration or usage error, unknown server

Examples:
  snaprotate plan web-server-01
      why each snapshot of this server is kept or deleted";

pub(super) const FORECAST: &str = "\
Lost at most is the greatest age that the newest completed snapshot reaches;
reaches back at least is the smallest age of the oldest one. A suggestion keeps
as many snapshots in all, loses no more, and reaches back further.

Times are in the time zone shown next to the server: that of its first rotation.

Exit codes:
  0  shown
  2  configuration or usage error, unknown server

Examples:
  snaprotate forecast web-server-01
      how far back can a restore of this server go, at worst?
  snaprotate forecast --against draft.toml --svg forecast.svg
      what would a draft of one policy change?";

pub(super) const STATUS: &str = "\
Without a server, it prints a verdict on all servers, then each problem that
needs an administrator, worst first, with the newest copy's age and what to do.
--all adds a table of all servers. The age of the listing is shown if no newer
one is available. An idle server is listed again at its next slot, or when its
newest copy becomes too old.

A copy is a completed snapshot with a reliable date, own or foreign.

Health:
  ok            the newest copy is fresh, and no alert is active
  new           the very first snapshot is being made
  attention     an alert is active, but the newest copy is fresh
  failing       the newest copy is too old (alert_after), or its age is unknown
  unprotected   there is no completed snapshot
  unknown       not listed by this process, or not for an hour although it is due

Last slot, with the time that it was due:
  made          its snapshot is listed and completed; the time is the snapshot's
  completed     the same, but the snapshot's time is unknown
  failed so far
                an attempt failed, and another may follow
  not made yet, being made
                the slot is still in progress
  not made      the slot ended without a snapshot: given up after its last
                attempt, skipped (no room, or too late), or paused
  gone          its snapshot was completed, and has been deleted since

Exit codes:
  0  no alert is active, and the health of every server is ok
  1  an alert is active, a server's health is not ok, or the service can't be
     reached
  2  usage error, unknown server, a --config file that doesn't exist
  3  the service isn't running

Files:
  /run/snaprotate/control.sock
      the service's control socket, for root and the service's own user;
      in another folder if the environment variable RUNTIME_DIRECTORY names one

Examples:
  snaprotate status
      is all well?
  snaprotate status web-server-01
      what this server holds, why each snapshot is kept or deleted, and what is
      next";

pub(super) const NOTIFY: &str = "\
Examples:
  snaprotate notify test
      does every receiver of [[notify]] get a message?";

pub(super) const NOTIFY_TEST: &str = "\
A line for each receiver says ok, or why the message could not be delivered. The
service doesn't have to be running, and isn't disturbed if it is. A receiver of
type ping only gets a log entry (/log), which doesn't change its state.

Exit codes:
  0  every receiver accepted the message
  1  at least one receiver did not
  2  configuration or usage error, unknown receiver, no receiver

Examples:
  snaprotate notify test --receiver ntfy
      test one receiver, by its name, or by its type if it has no name";

pub(super) const DEMO: &str = "\
With --serve, a snapshot is completed after 10 seconds, and a restore is over
after 20. The first snapshot of failing-01 fails, and that of hanging-01 hangs.
All data is discarded at the end.

Exit codes:
  0  the trail is intact at the end; with --serve: ended by a signal
  1  the trail is broken, or the demo can't run
  2  usage error

Examples:
  snaprotate demo --for 2m --servers 50
      longer, and with more servers
  snaprotate demo --keep-running --listen 127.0.0.1:9180
      with the status page, until Ctrl-C
  snaprotate demo --serve 127.0.0.1:9181 --server 12345=web-server-01
      a provider to try your own policies against";

pub(super) const AUDIT: &str = "\
Examples:
  snaprotate audit show --since yesterday --failed
      what failed last night
  snaprotate audit verify
      is the trail intact?";

pub(super) const AUDIT_SHOW: &str = "\
Each line is an action, with its result and the reason: a create with its answer
and its completion, a delete with its answer and the listing that no longer has
the snapshot. The oldest come first; the time is that of the last record. Those
without a recorded end come last, as still open. An action is shown if any of
its records matches. --raw prints each record by itself, and --json exactly as
it is in the trail.

Times are local (TZ), and servers have their names in the configuration in
force. Checkpoints are left out unless --event asks for them. If the record of
an intent doesn't name its policy or rotation, those of the configuration in
force are shown. A server that no longer has a policy is found by its id, or by
its former name. An alert is left out if it only repeats the line before it;
--event alert shows it. A policy file with a mistake is used as far as it can be
read.

On a terminal, output that is longer than the screen goes to a pager.

Exit codes:
  0  shown; also if no record matches, or there is no trail yet
  1  the trail, or a line of it, can't be read; audit verify says more
  2  configuration or usage error, such as a server or rotation that neither a
     policy nor the trail has

Environment:
  PAGER  the pager; without it, or through sudo, it is less

Examples:
  snaprotate audit show --snapshot daily-snapshot-2026-11-20
      why this snapshot was deleted, when, and by which policy
  snaprotate audit show --since yesterday --failed
      what failed last night
  snaprotate audit show web-server-01 --since 2d
      what happened to one server
  snaprotate audit show web-server-01 --follow
      what is done on one server, as it happens
  snaprotate audit show --csv --since 2026-11-01 > actions.csv
      for a spreadsheet
  snaprotate audit show --json --event delete_intent | jq -r .reason
      the reasons of all deletes, for another program";

pub(super) const AUDIT_VERIFY: &str = "\
By itself, the chain reveals only accidents. Whoever may write to the trail and
its head can recompute or remove both. Only checkpoints that are kept elsewhere
reveal that, and only up to the newest of them. Checkpoints are found in files
of notes, in e-mails, and in lines of a log or of JSON. A checkpoint that was
changed, or that another key signed, is refused.

Exit codes:
  0  intact; also if only the last line is torn, as a crash leaves it, or if
      there is no trail yet; with --witness: in agreement with the checkpoints
  1  broken, or can't be read; with --witness also: cut, rewritten or replaced,
      a checkpoint is refused, or none could be compared
  2  configuration or usage error, no public key

Examples:
  snaprotate audit verify --json
      for monitoring
  snaprotate audit verify --witness /mnt/other/snaprotate.witness
      was the trail rewritten?
  journalctl -u snaprotate -o json | snaprotate audit verify --witness - --key KEY
      with checkpoints from a journal, on another host with a copy of the trail";

pub(super) const AUDIT_KEYGEN: &str = "\
The public key is printed: keep it elsewhere, for audit verify --key. Name the
private key's file in key_file below [audit.witness]; under systemd, also add
LoadCredential=witness-key:FILE to the unit in a drop-in.

Exit codes:
  0  made
  1  the file can't be written
  2  usage error, a file that already exists

Examples:
  snaprotate audit keygen --out /etc/snaprotate/witness-key
      named after this host
  snaprotate audit keygen snaprotate/admin-01 --out ./witness-key > witness-key.pub
      with a name of your choice";

pub(super) const COMPLETIONS: &str = "\
In bash, zsh and fish, the script also completes servers and rotations, from the
policy files, and snapshots, from the running service.

Exit codes:
  0  printed
  2  usage error, such as an unknown shell

Examples:
  snaprotate completions bash > /etc/bash_completion.d/snaprotate
      for bash
  snaprotate completions zsh > /usr/local/share/zsh/site-functions/_snaprotate
      for zsh
  snaprotate completions fish > /etc/fish/completions/snaprotate.fish
      for fish";

pub(super) const SCHEMA: &str = "\
The schemas use JSON Schema draft 2020-12. Once the package is installed,
editors find the schemas of the two files through the first line of the example
files, #:schema.

Exit codes:
  0  printed
  2  usage error, such as an unknown name

Examples:
  snaprotate schema
      the names
  snaprotate schema policy
      what a policy file may hold
  snaprotate schema status
      what status --json prints";

pub(super) const MAN: &str = "\
There is a page for the program, one for each command, and one for each of the
two files: snaprotate.toml(5) and snaprotate-policy(5).

Exit codes:
  0  printed or written
  1  the pages can't be written
  2  usage error, such as an unknown page

Examples:
  snaprotate man
      read it; on a terminal, man shows it, otherwise its source is printed
  snaprotate man snaprotate-policy | man -l -
      every key of a policy
  snaprotate man --dir /usr/local/share/man/man1
      install all pages; those of the two files go to man5 next to it";

//! Texts below the options in `--help` and in the manual pages: exit codes, examples, files,
//! environment, signals.
//!
//! `manual` parses this form. A line without indent is a heading. A line with an indent of two
//! begins an entry, with its text after two or more spaces. A deeper line continues the text.

pub(super) const TOP: &str = "\
Exit codes:
  0  as it should
  1  something is wrong, which the output names; with every command also when
     the output can't be written
  2  configuration or usage: only an administrator can mend it
  3  status alone: the service isn't running

Files:
  /etc/snaprotate/snaprotate.toml
      the main configuration; relative paths in it start at its folder
  /etc/snaprotate/policies.d/*.toml
      the policies, one server a file
  /var/lib/snaprotate
      the lock, and the head of the trail, by which a cut tail shows
  /var/log/snaprotate/audit-YYYY-MM.jsonl
      the audit trail, one JSON object a line

Environment:
  SNAPROTATE_LOG  how much is logged, where --log isn't given
  STATE_DIRECTORY, LOGS_DIRECTORY
      the folders of state and trail, where the configuration names none;
      systemd sets them
  CREDENTIALS_DIRECTORY
      where systemd puts the credential api-token, which goes before token_file,
      and witness-key, before key_file
  NO_COLOR  no colours, whatever it is set to
  TZ  the zone of the times that audit show reads, and that are shown

Examples:
  snaprotate demo
      see it rotate for half a minute; no files, no account
  snaprotate init --dry-run --token-file ./token
      first policies from what the account holds
  snaprotate check && snaprotate plan
      what would be done now, and why; changes nothing";

pub(super) const RUN: &str = "\
Exit codes:
  0  ended by a signal
  1  failed, as when another process holds the lock; or cut short by a second
      signal
  2  configuration or usage

Signals:
  SIGHUP  read the configuration anew; one with a mistake is refused as a
      whole, the old one stays, and an alert says why
  SIGTERM, SIGINT
      change nothing more, wait for the answer to the call that is under way,
      record it, and end; a second one ends at once

Examples:
  systemctl enable --now snaprotate
      run it as a service
  systemctl reload snaprotate
      after an edit";

pub(super) const ONCE: &str = "\
Exit codes:
  0  each policy's newest due slot is settled by a completed snapshot, and no
      alert stands
  1  otherwise: the last lines on stderr name the alerts and the slots
  2  configuration or usage

Examples:
  snaprotate once --log warn
      from a timer or another scheduler, in place of the service";

pub(super) const CHECK: &str = "\
Online, a server without snapshots shows nowhere: whether it exists under its
name can't be told yet, which is a note and no problem.

Exit codes:
  0  no problems, though there may be warnings
  1  with --online: the files are good, but don't fit the account, or it
      can't be asked
  2  problems in the files, each with file, line, column and remedy

Examples:
  snaprotate check --config ./snaprotate.toml
      before the files are put in place
  snaprotate check --online
      does the token work, and is there room for what is to be kept?
  snaprotate check --json --online | jq '.online.problems'
      for another program";

pub(super) const LIST: &str = "\
A server without a policy is named by its id, or as the provider calls it. Before
the first policy is written all is listed as foreign.

Own is what a rotation of the policy in force would name so; all else is foreign
and never touched. Times are local (TZ); a terminal of less than 110 columns
shows only how long ago they are. A listing that can't be relied on is shown
with the reason.

Exit codes:
  0  listed
  1  the API can't be read
  2  configuration or usage, an unknown server

Examples:
  snaprotate list
      all that the account holds
  snaprotate list web-server-01
      one server; its id will do too, also without a policy
  snaprotate list --json | jq '.servers[] | select(.counts.total >= .limit) | .name'
      the servers that are full";

pub(super) const INIT: &str = "\
From the service's first start on, the oldest snapshots of a recognised pattern
are pruned beyond keep: look with plan first. What made them until now is to be
stopped, or both will make them. A server without snapshots shows in no listing
and gets no file.

Exit codes:
  0  written, or printed
  1  the API can't be read, or a file can't be written; then none is
  2  usage, a file that is in the way, or files there that are not good

Examples:
  snaprotate init --dry-run --token-file ./token
      see what would be written; an ordinary user may
  snaprotate init --token-file /etc/snaprotate/api-token
      write /etc/snaprotate/snaprotate.toml and policies.d
  snaprotate init --token-file ./token --dir ./draft
      into another folder";

pub(super) const PLAN: &str = "\
Times are in the local zone (TZ), those of --json in UTC.

Exit codes:
  0  planned
  1  the API can't be read, or a server is blocked
  2  configuration or usage, an unknown server

Examples:
  snaprotate plan web-server-01
      why each snapshot of this server stays or goes";

pub(super) const FORECAST: &str = "\
Times are in the zone that stands beside the server: its first rotation's.

Exit codes:
  0  forecast
  2  configuration or usage, an unknown server

Examples:
  snaprotate forecast web-server-01
      how far back can one go on this server, at worst?
  snaprotate forecast --against draft.toml --svg forecast.svg
      what would a draft of one policy change?";

pub(super) const STATUS: &str = "\
The last slot is the newest one that was due, and what became of its snapshot:
  made          it is there, completed; the time is the snapshot's own
  not made yet, being made
                the slot is still worked on; what holds it up stands in the state
  not made      the slot is over without it: given up after its last attempt,
                skipped (there was no room, or it was too late), or paused
  gone          it was completed, and has been deleted since
\"due\" is the slot's own time, which the snapshot is named after.

The state says why, and how old the listing is where no newer one can be had. A
server at rest is not listed before its next slot. What stands beside a snapshot
is of now: the next slot may change it.

Exit codes:
  0  no alert stands
  1  alerts stand, or the service can't be asked
  2  usage, a server that the service doesn't have, a --config that isn't there
  3  the service isn't running

Files:
  /run/snaprotate/control.sock
      the service's control socket, for root and the service's own user;
      $RUNTIME_DIRECTORY goes before /run/snaprotate

Examples:
  snaprotate status
      is all well?
  snaprotate status web-server-01
      what this server holds, why each snapshot stays or goes, and what is next";

pub(super) const NOTIFY: &str = "\
Examples:
  snaprotate notify test
      does every receiver of [[notify]] get a message?";

pub(super) const NOTIFY_TEST: &str = "\
A line for each receiver says ok, or why it could not be told. The service need
not run, and isn't disturbed when it does. To a ping it is only noted (/log),
without an effect on whether all is well there.

Exit codes:
  0  every receiver took it
  1  one did not
  2  configuration or usage, an unknown receiver, no receiver at all

Examples:
  snaprotate notify test --receiver ntfy
      try one of them, by its name, or its type where it has none";

pub(super) const DEMO: &str = "\
Exit codes:
  0  the trail is whole at the end; with --serve: ended by a signal
  1  it is not, or the demo can't be run
  2  usage

With --serve a snapshot is completed after 10 seconds and a restore after 20; on
failing-01 the first one fails, on hanging-01 it hangs. What is made is
forgotten at the end.

Examples:
  snaprotate demo --for 2m --servers 50
      longer, and with more servers
  snaprotate demo --serve 127.0.0.1:9181 --server 12345=web-server-01
      a provider for your own policies to be tried against";

pub(super) const AUDIT: &str = "\
Examples:
  snaprotate audit show --since yesterday --failed
      what failed last night
  snaprotate audit verify
      whether the trail is whole";

pub(super) const AUDIT_SHOW: &str = "\
Older records come first. Text shows times in the local zone (TZ), servers by
the names of the configuration in force, and no checkpoints unless --event asks
for them; --json shows everything as it stands in the trail. The policy and,
where the trail doesn't say it, the rotation of an intent are those of the
configuration in force. A server that has no policy any more is found by its
id, and by the name that it had.
An alert that only repeats the record before it is left out; --event alert shows
it. A policy with a mistake counts as far as it can be made out.

Exit codes:
  0  shown, also when no record fits or there is no trail yet
  1  the trail, or a line of it, can't be read; audit verify says more
  2  configuration or usage, such as a server or rotation that neither a policy
     nor the trail knows

Examples:
  snaprotate audit show --snapshot daily-snapshot-2026-11-20
      why this snapshot was deleted, when, and by which policy
  snaprotate audit show --since yesterday --failed
      what failed last night
  snaprotate audit show web-server-01 --since 2d
      what happened to one server
  snaprotate audit show --json --event delete_intent | jq -r .reason
      the reasons of all deletes, for another program";

pub(super) const AUDIT_VERIFY: &str = "\
The chain alone shows accidents. Whoever may write to the trail and its head can
compute both anew, or remove them: only checkpoints that lie elsewhere show that,
and only up to the newest of them. A checkpoint is found in a file of notes, in a
mail, and in lines of a log or of JSON; one that was changed, or that another key
signed, is refused.

Exit codes:
  0  intact; also when only the last line is torn, as a crash leaves it, or
      when there is no trail yet; with --witness: as the witness saw it
  1  broken, or it can't be read; with --witness also: cut, rewritten or
      replaced, a note is refused, or none could be compared
  2  configuration or usage, no public key

Examples:
  snaprotate audit verify --json
      for monitoring
  snaprotate audit verify --witness /mnt/other/snaprotate.witness
      was the trail rewritten?
  journalctl -u snaprotate -o json | snaprotate audit verify --witness - --key KEY
      by the checkpoints in a journal, on another host with a copy of the trail";

pub(super) const AUDIT_KEYGEN: &str = "\
The public key is printed: keep it elsewhere, for audit verify --key. The private
key goes to key_file below [audit.witness]; under systemd also to the unit, as
LoadCredential=witness-key:FILE in a drop-in.

Exit codes:
  0  made
  1  the file can't be written
  2  usage, a file that is in the way

Examples:
  snaprotate audit keygen --out /etc/snaprotate/witness-key
      named after this host
  snaprotate audit keygen snaprotate/admin-01 --out ./witness-key > witness-key.pub
      with a name of its own";

pub(super) const COMPLETIONS: &str = "\
Exit codes:
  0  printed
  2  usage, such as an unknown shell

Examples:
  snaprotate completions bash > /etc/bash_completion.d/snaprotate
      for bash
  snaprotate completions zsh > /usr/local/share/zsh/site-functions/_snaprotate
      for zsh
  snaprotate completions fish > /etc/fish/completions/snaprotate.fish
      for fish";

pub(super) const SCHEMA: &str = "\
The schemas are of JSON Schema, draft 2020-12. Editors find those of the two
files by the first line of the examples, #:schema, once the package is
installed.

Exit codes:
  0  printed
  2  usage, such as an unknown name

Examples:
  snaprotate schema
      the names
  snaprotate schema policy
      what a policy file may hold
  snaprotate schema status
      what status --json writes";

pub(super) const MAN: &str = "\
There is a page for the program, one for each command, and one for each of the
two files: snaprotate.toml(5) and snaprotate-policy(5).

Exit codes:
  0  printed or written
  1  the pages can't be written
  2  usage, such as an unknown page

Examples:
  snaprotate man
      read it; on a terminal man shows it, elsewhere its source is printed
  snaprotate man snaprotate-policy | man -l -
      every key of a policy
  snaprotate man --dir /usr/local/share/man/man1
      install all pages; those of the files into man5 beside it";

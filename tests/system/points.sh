# The checks, in this order; systemd.sh sources this once the container is up.
# shellcheck shell=bash disable=SC2154
state=/var/lib/private/snaprotate
policy=$work/root/etc/snaprotate/policies.d/web-server-01.toml

clean_unit() { inside systemd-analyze verify /etc/systemd/system/snaprotate{,-hook@}.service /etc/systemd/system/snaprotate-hook.socket && ! inside journalctl --no-pager | grep 'snaprotate.*ignoring'; }
point "holds nothing that this systemd doesn't know" clean_unit

starts() { inside systemctl start "$unit" && is ActiveState active && is SubState running; }
# The other checks require a running service.
point "becomes ready" starts || return

# The unit ignores a failure of the check, so it would not show above.
checked() { property ExecStartPre | grep -F 'code=exited ; status=0' || said; }
point "checks its configuration beforehand, with the credential at hand" checked

# Neither the unit's settings nor its security score prove that the kernel applies them.
confined() {
    local pid status
    pid=$(property MainPID)
    status=$(inside cat "/proc/$pid/status")
    grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' <<<"$status"
    grep -Eq '^Uid:\s+[1-9]' <<<"$status" && grep -Eq '^CapEff:\s+0+$' <<<"$status" &&
        grep -Eq '^CapBnd:\s+0+$' <<<"$status" && grep -Eq '^NoNewPrivs:\s+1$' <<<"$status" &&
        grep -Eq '^Seccomp:\s+2$' <<<"$status"
}
point "runs as a user of its own, without capabilities, behind a filter" confined

reaches_provider() { within 20 grep -q '^GET .* 200$' "$work/requests" || { cat "$work/requests"; said; }; }
point "reaches the provider with the credential" reaches_provider

rotates() { soon_recorded 1 create_intent && soon_recorded 1 snapshot_completed; }
point "makes the snapshot that is due, and records it" rotates

finished() { cat "$work/root$logs"/audit-*.jsonl | grep '"event":"hook_finished"'; }
runs_hooks() {
    soon_recorded 2 hook_finished && ! finished | grep -v '"outcome":"done"' &&
        finished | grep -E '/bin/sh succeeded: snaprotate-hook@[^ ]*\.service.{1,4}[1-9][0-9]+' &&
        ! finished | grep -F "$token"
}
point "runs hooks in a unit of their own, by a user of its own, without the token" runs_hooks

hook_group() { inside getent group snaprotate-hook | cut -d: -f3; }
# A stranger's request that would run a hook if the runner accepted it.
# shellcheck disable=SC2016
stranger='use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new($ARGV[0]) or die "no socket: $!";
    print $s q({"job":{"policy":"web-server-01","rotation":"weekly","snapshot":"x","server":12345,"server_name":"x"},"after":"x"}), "\n";
    $s->flush; print <$s>;'
sends_away() {
    local heard
    # A user with the socket's group can connect, and the runner must refuse.
    heard=$(inside setpriv --reuid=65534 --regid=65534 --groups="$(hook_group)" perl -e "$stranger" /run/snaprotate-hook.sock) || return
    [ -z "$heard" ] || { echo "it was answered: $heard"; return 1; }
    within 10 inside sh -c 'journalctl --no-pager | grep -F "may not run hooks"'
}
point "has hooks run by nobody but root and the service" sends_away

units_of_hooks() { inside systemctl show snaprotate-hook.socket --property=NAccepted --value; }
keeps_out() {
    local before said
    before=$(units_of_hooks)
    inside stat -c '%A %U:%G' /run/snaprotate-hook.sock | tee /dev/stderr | grep -qx 'srw-rw---- root:snaprotate-hook' || return
    for _ in 1 2 3 4 5; do
        said=$(inside setpriv --reuid=65534 --regid=65534 --clear-groups perl -e "$stranger" /run/snaprotate-hook.sock 2>&1) &&
            { echo "a stranger was let in: $said"; return 1; }
        grep -q 'Permission denied' <<<"$said" || { echo "$said"; return 1; }
    done
    [ "$(units_of_hooks)" = "$before" ] || { echo "a unit was started for a stranger"; return 1; }
}
point "starts no unit for a stranger who knocks at the socket of hooks" keeps_out

answers() {
    inside snaprotate status --all >"$work/status" && grep -q '^web-server-01 .*weekly-snapshot-' "$work/status" ||
        { cat "$work/status"; said; return 1; }
    local code=0
    inside setpriv --reuid=65534 --clear-groups snaprotate status >"$work/status" 2>&1 || code=$?
    [ "$code" = 1 ] && grep -qF "only root and the service's own user" "$work/status" ||
        { cat "$work/status"; return 1; }
}
point "tells root how it stands, over its control socket" answers

obeys() {
    inside snaprotate create web-server-01 by-hand && soon_recorded 2 snapshot_completed &&
        inside snaprotate pause && inside snaprotate status | grep paused &&
        inside snaprotate delete web-server-01 by-hand --yes && soon_recorded 1 delete_confirmed &&
        inside snaprotate resume && recorded 2 create_intent
}
point "carries out root's orders over its control socket, in a pause too" obeys

shows() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read())' "http://$page/$1"; }
shows_the_page() { shows healthz | grep "ok" && shows metrics | grep -o 'snaprotate_build_info[^}]*}'; }
point "serves its page and metrics where it was told to" shows_the_page

writes_where_it_should() {
    ls -la "$work/root$logs" "$work/root$state"
    [ -s "$work/root$state/head" ] &&
        [ -z "$(find "$work/root$logs" "$work/root$state" -perm /077)" ] &&
        ! find "$work/root$logs" "$work/root$state" -uid 0 | grep .
}
point "keeps trail and state in folders of its own, closed to others" writes_where_it_should

reloads() { inside systemctl reload "$unit" && soon_recorded 2 config_loaded && running; }
point "reloads: the trail says config_loaded twice" reloads

refuses() {
    cp "$policy" "$work/good"
    sed -i 's/^keep = .*/keep = 0/' "$policy"
    inside systemctl reload "$unit"
    soon_recorded 1 config_refused && recorded 2 config_loaded && running
    local seen=$?
    cp "$work/good" "$policy"
    return "$seen"
}
point "refuses a broken policy on reload and stays active" refuses

goes_on() { inside systemctl reload "$unit" && soon_recorded 3 config_loaded && is NRestarts 0; }
point "takes the mended policy" goes_on

rises() {
    inside systemctl kill --kill-whom=main --signal=KILL "$unit"
    { within 20 is NRestarts 1 && within 20 running; } || said
}
point "is started again after a kill -9" rises

stops() {
    local before=$SECONDS
    inside systemctl stop "$unit"
    echo "took $((SECONDS - before)) s"
    is Result success && is ActiveState inactive && recorded 1 daemon_stopped && [ $((SECONDS - before)) -lt 60 ]
}
point "stops in time: the result is success" stops

stays_down() {
    cp "$policy" "$work/good"
    sed -i 's/^keep = .*/keep = 0/' "$policy"
    inside systemctl start "$unit"
    # Longer than the pause between two starts.
    sleep 12
    cp "$work/good" "$policy"
    is ActiveState failed && is NRestarts 0
    local seen=$?
    inside systemctl reset-failed "$unit"
    return "$seen"
}
point "is not started over and over with a configuration that is wrong" stays_down

watched() {
    mkdir -p "$work/root/etc/systemd/system/$unit.d"
    printf '[Service]\nWatchdogSec=4s\n' >"$work/root/etc/systemd/system/$unit.d/watchdog.conf"
    inside systemctl daemon-reload
    inside systemctl start "$unit"
    local first
    first=$(property WatchdogTimestampMonotonic)
    sleep 10
    is WatchdogUSec 4s && is NRestarts 0 || return
    running || said || return
    [ "$(property WatchdogTimestampMonotonic)" -gt "$first" ] || { echo "it never said that it is well"; return 1; }
}
point "tells the watchdog that it is well" watched

ends_well() { inside systemctl stop "$unit" && is Result success; }
point "stops in time after that too" ends_well

# shellcheck source=tests/system/commands.sh
. "$system/commands.sh"

intact() { inside snaprotate audit verify --config /etc/snaprotate/snaprotate.toml; }
point "leaves a trail that is whole" intact

discreet() {
    ! inside journalctl --no-pager --output=export | grep -F "$token" &&
        ! grep -rF "$token" "$work/root$logs" "$work/root$state"
}
point "leaves the token out of journal, trail and state" discreet

exposure() {
    inside systemd-analyze security --offline=yes --no-pager --threshold=11 "/etc/systemd/system/$unit" |
        tail -n 1
}
point "is exposed by 1.1 at most: $(exposure | grep -Eo '[0-9]+\.[0-9]+ [A-Z]+')" exposure

exposure_of_hooks() {
    inside systemd-analyze security --offline=yes --no-pager --threshold=17 /etc/systemd/system/snaprotate-hook@.service |
        tail -n 1
}
point "exposes hooks by 1.7 at most: $(exposure_of_hooks | grep -Eo '[0-9]+\.[0-9]+ [A-Z]+')" exposure_of_hooks

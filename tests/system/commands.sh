# Runs every command as root and as the service's user, with and without the running service.
# points.sh sources this.
# shellcheck shell=bash disable=SC2154

by_root() { inside "$@"; }

# Only systemd gives the service's user its folders and its token.
by_service() {
    inside systemd-run --quiet --wait --pipe --collect -p DynamicUser=yes -p User=snaprotate \
        -p StateDirectory=snaprotate -p LogsDirectory=snaprotate -p UMask=0077 \
        -p LoadCredential=api-token:/etc/snaprotate/api-token -- "$@" </dev/null
}

# ends CODE WORDS COMMAND…: the command exits with CODE, and its output contains WORDS.
ends() {
    local code=$1 words=$2 seen=0
    shift 2
    "$@" >"$work/said" 2>&1 || seen=$?
    [ "$seen" = "$code" ] && grep -qe "$words" "$work/said" ||
        { echo "$* ended with $seen instead of $code, or without: $words"; cat "$work/said"; return 1; }
}

# reads WHO: the commands that change nothing.
reads() {
    local who=by_$1
    ends 0 'no problems' "$who" snaprotate check &&
        ends 0 '"good": true' "$who" snaprotate check --online --json &&
        ends 0 'web-server-01' "$who" snaprotate plan &&
        ends 0 'weekly-snapshot-' "$who" snaprotate list web-server-01 &&
        ends 0 'worst' "$who" snaprotate forecast --days 14 &&
        ends 0 'create' "$who" snaprotate audit show web-server-01 &&
        ends 0 'records' "$who" snaprotate audit verify &&
        ends 0 'has a policy' "$who" snaprotate init --dry-run &&
        ends 2 'notify' "$who" snaprotate notify test &&
        ends 0 'snaprotate' "$who" snaprotate completions bash &&
        ends 0 'schema' "$who" snaprotate schema policy &&
        ends 0 'snaprotate' "$who" snaprotate man &&
        ends 0 'stand-in' "$who" snaprotate demo --for 1s
}

# orders WHO NAME: an operator's orders, on a snapshot of that name.
orders() {
    local who=by_$1 name=$2
    ends 0 "$name" "$who" snaprotate create web-server-01 "$name" --wait &&
        ends 0 'paused' "$who" snaprotate pause web-server-01 &&
        ends 0 "restore" "$who" snaprotate restore web-server-01 "$name" --yes &&
        ends 0 'the wait after its restore has been ended' "$who" snaprotate resume web-server-01 &&
        sleep 2 &&
        ends 0 "$name" "$who" snaprotate delete web-server-01 "$name" --yes &&
        recorded_orders "$name"
}

# The trail names who gave each order, and no file changed its owner.
recorded_orders() {
    local kind
    for kind in create_intent restore_intent delete_intent; do
        grep -h "\"event\":\"$kind\"" "$work/root$logs"/audit-*.jsonl | grep -q "\"snapshot\":\"$1\".*\"by\":\"" ||
            { echo "no $kind of $1 that names who ordered it"; return 1; }
    done
    ! find "$work/root$logs" "$work/root$state" -uid 0 | grep .
}

# The server has no known health before its first listing.
well() { inside snaprotate status >/dev/null 2>&1; }
beside() { inside systemctl start "$unit" && within 20 well && ends 0 'All is well' "by_$1" snaprotate status && reads "$1" && orders "$1" "beside-by-$1"; }
without() {
    inside systemctl stop "$unit"
    ends 3 "is not running" "by_$1" snaprotate status && reads "$1" && orders "$1" "without-by-$1" &&
        ends 0 '' "by_$1" snaprotate once
}

for who in root service; do
    point "every command does its work beside the service, by $who" beside "$who"
    point "the service keeps others out while it runs: once, by $who" ends 1 'lock' "by_$who" snaprotate once
done
for who in root service; do
    point "every command does its work without the service, by $who" without "$who"
done

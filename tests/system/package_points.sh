# The checks, in this order; package.sh sources this once the container is up.
# shellcheck shell=bash disable=SC2154
etc=$work/root/etc/snaprotate
policy=$etc/policies.d/web-server-01.toml
socket=snaprotate-hook.socket

faultless() { lintian --allow-root --fail-on error "$deb"; }
point "has no fault that lintian calls an error" faultless

enabled() { [ "$(inside systemctl is-enabled "$unit")" = "$1" ] || { inside systemctl is-enabled "$unit"; return 1; }; }
socket_is() { [ "$(inside systemctl is-active "$socket")" = "$1" ] || { inside systemctl status "$socket"; return 1; }; }
installs() {
    get install /srv/packages/this.deb && inside dpkg --verify snaprotate && is LoadState loaded &&
        enabled disabled && is ActiveState inactive && socket_is inactive &&
        [ -z "$(inside systemctl list-units --failed --quiet)" ] &&
        inside getent group snaprotate-hook && [ -d "$etc/policies.d" ] && [ -z "$(ls -A "$etc/policies.d")" ]
}
# The other checks require an installed package.
point "installs, and starts nothing" installs || return

tells() {
    local code=0
    inside snaprotate check >"$work/check" 2>&1 || code=$?
    cat "$work/check"
    [ "$code" = 2 ] && grep -q 'snaprotate init' "$work/check" && grep -q 'write the token' "$work/check"
}
point "says what has to be written before the first start" tells

complete() {
    local file
    # The schemas that the examples name for editors exist.
    for file in "$etc/snaprotate.toml" "$work"/root/usr/share/doc/snaprotate/examples/policies.d/*.toml; do
        [ -s "$work/root$(sed -n '1s,^#:schema file://,,p' "$file")" ] || { echo "the schema of $file is missing"; return 1; }
    done
    for file in man/man1/snaprotate{,-audit-show}.1.gz man/man5/{snaprotate.toml,snaprotate-policy}.5.gz \
        bash-completion/completions/snaprotate zsh/vendor-completions/_snaprotate \
        fish/vendor_completions.d/snaprotate.fish doc/snaprotate/{copyright,changelog.Debian.gz,README.Debian}; do
        [ -s "$work/root/usr/share/$file" ] || { echo "$file is missing"; return 1; }
    done
    local pages
    pages=$(inside snaprotate man --dir /tmp/pages | grep -o '^[0-9]*')
    inside rm -r /tmp/pages
    [ "$(find "$work/root/usr/share/man" -name 'snaprotate*.gz' | wc -l)" = "$pages" ]
}
point "brings manual pages, completions, schemas and examples" complete

configure() {
    (umask 077 && echo "$token" >"$etc/api-token")
    sed -i "s,^#base_url = .*,base_url = \"http://127.0.0.1:$(cat "$work/port")/api/v1\"," "$etc/snaprotate.toml"
    sed -i 's,^#poll_interval = .*,poll_interval = "1s",' "$etc/snaprotate.toml"
    cat >>"$etc/snaprotate.toml" <<TOML
[http]
listen = "$page"

[[notify]]
type = "webhook"
url = "http://127.0.0.1:$webhook_port/alerts"

[[notify]]
type = "email"
server = "127.0.0.1"
port = $mail_port
tls = "none"
from = "snaprotate@example.org"
to = ["admin@example.org"]
TOML
    # Neither today nor tomorrow: a first snapshot waits if the next slot would have the same name.
    local day
    day=$(LC_ALL=C date -u -d '3 days ago' +%a)
    cat >"$policy" <<TOML
[server]
id = 12345
name = "web-server-01"

[[rotation]]
name = "weekly"
schedule = "0 3 * * $day"
keep = 3

[rotation.hooks]
before = ["/bin/sh", "-c", "grep -o 'snaprotate-hook@[^/]*' /proc/self/cgroup | head -n 1"]
after = ["/bin/sh", "-c", "echo thawed"]
TOML
    inside snaprotate check && inside systemctl enable --now "$unit" && running && socket_is active
}
point "starts once there are a token and a policy" configure || return

rotates() {
    soon_recorded 1 create_intent && soon_recorded 1 snapshot_completed &&
        grep '^POST .* 201$' "$work/requests" && inside snaprotate status --all | grep '^web-server-01 .*weekly-snapshot-'
}
point "rotates, and status shows it" rotates

hooked() {
    soon_recorded 2 hook_finished &&
        grep -h '"event":"hook_finished"' "$work/root$logs"/audit-*.jsonl | grep '"hook":"before".*snaprotate-hook@' &&
        ! grep -h '"event":"hook_finished"' "$work/root$logs"/audit-*.jsonl | grep -v '"outcome":"done"'
}
point "runs hooks in their own unit" hooked

shown() {
    python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "http://$page/" |
        grep -o 'web-server-01'
}
point "shows the server on its page" shown

# told EVENT SUBJECT: both receivers got the alert.
told() { grep "\"event\":\"$1\"" "$work/webhook" | grep config_refused && grep "^Subject: $2" "$work/mail"; }
told_soon() { within 20 told "$@" || { cat "$work/webhook" "$work/mail"; said; }; }
alerts() {
    cp "$policy" "$work/good"
    sed -i 's/^keep = .*/keep = 0/' "$policy"
    inside systemctl reload "$unit"
    told_soon raised "Changed configuration refused"
    local seen=$?
    cp "$work/good" "$policy"
    [ "$seen" = 0 ] && inside systemctl reload "$unit" && told_soon recovered "OK Configuration accepted"
}
point "tells a webhook and by mail of an alert, and when it is over" alerts

exposure() { inside systemd-analyze security --no-pager --threshold=11 "$unit" | tail -n 1; }
point "is exposed by 1.1 at most: $(exposure | grep -Eo '[0-9]+\.[0-9]+ [A-Z]+')" exposure

sums() { (cd "$etc" && find . -type f -exec sha256sum {} + | sort -k 2); }
upgrades() {
    local pid
    pid=$(property MainPID)
    sums >"$work/sums"
    get install /srv/packages/newer.deb || return
    inside dpkg-query -W snaprotate | grep -e '-2$' && sums | diff "$work/sums" - && enabled enabled &&
        [ "$(property MainPID)" != "$pid" ] && running && socket_is active && soon_recorded 2 daemon_started &&
        recorded 1 daemon_stopped && is NRestarts 0
}
point "an upgrade keeps the configuration, and restarts the service that runs" upgrades

stays_stopped() {
    inside systemctl stop "$unit" && inside dpkg -i /srv/packages/newer.deb && is ActiveState inactive && enabled enabled
}
point "an upgrade leaves a service stopped that was stopped" stays_stopped

removes() {
    inside systemctl start "$unit" || return
    get remove snaprotate && is ActiveState inactive && socket_is inactive && ! inside pgrep snaprotate &&
        [ ! -e "$work/root/usr/bin/snaprotate" ] && sums | diff "$work/sums" - && recorded 3 daemon_stopped
}
point "removal stops it, and keeps configuration and trail" removes

returns() {
    get install /srv/packages/this.deb && enabled enabled && inside systemctl start "$unit" && running &&
        inside snaprotate audit verify && sums | diff "$work/sums" -
}
point "goes on where it was when it is installed again" returns

left() {
    find "$work/root" -xdev -iname '*snaprotate*'
    inside find /run /tmp -xdev -iname '*snaprotate*'
    # Except the backups of groupdel.
    grep -rl --exclude='g*-' snaprotate "$work"/root/etc "$work"/root/var/lib
}
purges() {
    get purge snaprotate && ! inside pgrep snaprotate && [ -z "$(left)" ] || { left; return 1; }
}
point "purge stops it too, asks nothing, and leaves nothing of it on disk" purges

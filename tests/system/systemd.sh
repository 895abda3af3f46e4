#!/usr/bin/env bash
# Tests the shipped unit under a real systemd: boots a Debian container, installs binary, unit and
# configuration as an administrator would, and checks what the service does there.
#
#     tests/system/systemd.sh [BINARY]        default: target/debug/snaprotate
#
# container.sh lists the requirements, and how to choose another Debian release. A release with a
# newer systemd gets the drop-ins too.
set -uo pipefail

# shellcheck source=tests/system/container.sh
. "$(dirname "$0")/container.sh"
binary=${1:-$project/target/debug/snaprotate}

install_service() {
    local etc=$work/root/etc/snaprotate units=$work/root/etc/systemd/system
    install -m 755 "$binary" "$work/root/usr/bin/snaprotate"
    install -m 644 "$project"/systemd/snaprotate*.{service,socket} "$units/"
    install -D -m 644 "$project/systemd/snaprotate.sysusers" "$work/root/usr/lib/sysusers.d/snaprotate.conf"
    install -d "$etc/policies.d"
    (umask 077 && echo "$token" >"$etc/api-token")
    cat >"$etc/snaprotate.toml" <<TOML
[api]
base_url = "http://127.0.0.1:$(cat "$work/port")/api/v1"
# For commands that root runs by hand; the service has the credential.
token_file = "api-token"

[daemon]
poll_interval = "1s"
restore_window = "1s"

[http]
listen = "$page"
TOML
    # Neither today nor tomorrow: a first snapshot waits if the next slot would have the same name.
    local day
    day=$(LC_ALL=C date -u -d '3 days ago' +%a)
    cat >"$etc/policies.d/web-server-01.toml" <<TOML
[server]
id = 12345
name = "web-server-01"

[[rotation]]
name = "weekly"
schedule = "0 3 * * $day"
keep = 3

[rotation.hooks]
before = ["/bin/sh", "-c", "grep -o 'snaprotate-hook@[^/]*' /proc/self/cgroup | head -n 1; id -u; cat /run/credentials/snaprotate.service/api-token; true"]
after = ["/bin/sh", "-c", "echo \$SNAPROTATE_HOOK of \$SNAPROTATE_SNAPSHOT"]
TOML
}

# Installs each drop-in if systemd has the version that its first line names.
add_drop_ins() {
    local folder=$work/root/etc/systemd/system/snaprotate.service.d file since
    mkdir -p "$folder"
    for file in "$project"/systemd/snaprotate-*.conf; do
        since=$(sed -n '1s/.*systemd \([0-9]*\) or newer.*/\1/p' "$file")
        if [ "$version" -ge "$since" ]; then
            install -m 644 "$file" "$folder/"
            echo "with $(basename "$file")"
        fi
    done
    inside systemctl daemon-reload
    inside systemd-sysusers snaprotate.conf
}

prepare_host "$binary"
build_root
start_provider
install_service
boot
add_drop_ins

# shellcheck source=tests/system/points.sh
. "$system/points.sh"

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# The shipped unit under a real systemd: boots a Debian container, installs binary, unit and
# configuration as an administrator would, and looks at what the service does there.
#
#     tests/system/systemd.sh [BINARY]        default: target/debug/snaprotate
#
#     SUITE=trixie     another Debian release, whose newer systemd gets the drop-ins too
#     CACHE=DIR        where the container's root is kept between runs; default: target/system-test
#
# Needs root (it mounts and boots). debootstrap and systemd-container are installed by apt
# where they are missing. The provider is provider.py on the host's loopback, which the
# container shares; nothing else is asked for over the network once the root is built.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
binary=${1:-$project/target/debug/snaprotate}
suite=${SUITE:-bookworm}
cache=${CACHE:-$project/target/system-test}
token=fake-token-of-the-system-test
# The container has the host's network; all of 127/8 is this host, and nobody else is there.
page=127.$((RANDOM % 200 + 20)).$((RANDOM % 200 + 20)).1:9180

work='' provider='' nspawn='' init='' cgroups=() passed=0 failed=0

give_up() { echo "systemd.sh: $*" >&2; exit 1; }

# Ends what this script started, by process id, and removes what it laid down.
clean_up() {
    trap '' INT TERM HUP
    [ -z "$provider" ] || kill "$provider" 2>/dev/null
    if [ -n "$nspawn" ]; then
        [ -n "$init" ] || init=$(pgrep -P "$nspawn" | head -n 1)
        # It asks its init to power off.
        kill "$nspawn" 2>/dev/null
        within 15 gone "$nspawn" || kill -KILL "$nspawn" 2>/dev/null
        # An init outlives its killed nspawn; with the init goes the whole container.
        [ -z "$init" ] || gone "$init" || kill -KILL "$init" 2>/dev/null
    fi
    wait 2>/dev/null
    for group in "${cgroups[@]}"; do
        within 5 remove_cgroup "$group"
    done
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

remove_cgroup() {
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$1" ]
}

# within SECONDS COMMAND…: tries it until it succeeds, or says that it didn't.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# point WHAT COMMAND…: one line of the result.
point() {
    local what=$1
    shift
    if "$@" >"$work/point" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        sed 's/^/          /' "$work/point"
        return 1
    fi
}

# Runs a command inside the container; longer than TimeoutStopSec=, so that it is seen to act.
inside() { timeout 90 nsenter -t "$init" -m -p -u -i -n -C -- "$@"; }

prepare_host() {
    [ "$(id -u)" = 0 ] || give_up "needs root, to mount and boot a container; run it with sudo"
    [ -x "$binary" ] || give_up "$binary is no program; run cargo build, or name one"
    command -v python3 >/dev/null || give_up "needs python3 for the stand-in of the provider"
    if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
        command -v apt-get >/dev/null || give_up "needs debootstrap and systemd-nspawn; install them"
        echo "installing debootstrap and systemd-container"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends debootstrap systemd-container debian-archive-keyring; } \
            >"$work/apt" 2>&1 || { tail -n 20 "$work/apt"; give_up "apt could not install them"; }
    fi
}

# The root is built once and never booted itself; each run boots a copy.
build_root() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    if [ ! -d "$cache/$suite" ]; then
        echo "building the container's root in $cache/$suite (about a minute, 260 MB)"
        local mirror
        # shellcheck disable=SC2016
        mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)
        rm -rf --one-file-system "$cache/$suite.new"
        # Its mounts are its own, so that none is left behind if it is interrupted.
        unshare --mount timeout 540 debootstrap --variant=minbase \
            --include=systemd,systemd-sysv,dbus,procps "$suite" "$cache/$suite.new" ${mirror:+"$mirror"} \
            >"$work/debootstrap" 2>&1 ||
            { tail -n 20 "$work/debootstrap"; give_up "debootstrap failed"; }
        mv "$cache/$suite.new" "$cache/$suite"
    fi
    cp -a --reflink=auto "$cache/$suite" "$work/root" || give_up "no room for a copy of the root"
    exec 9>&-
}

start_provider() {
    python3 "$here/provider.py" "$work/port" "$work/requests" "$token" 2>"$work/provider" &
    provider=$!
    within 10 test -s "$work/port" || { cat "$work/provider"; give_up "the stand-in did not start"; }
}

install_service() {
    local etc=$work/root/etc/snaprotate units=$work/root/etc/systemd/system
    install -m 755 "$binary" "$work/root/usr/bin/snaprotate"
    install -m 644 "$project"/systemd/snaprotate*.{service,socket} "$units/"
    install -d "$etc/policies.d"
    (umask 077 && echo "$token" >"$etc/api-token")
    cat >"$etc/snaprotate.toml" <<TOML
[api]
base_url = "http://127.0.0.1:$(cat "$work/port")/api/v1"
# For commands that root runs by hand; the service has the credential.
token_file = "api-token"

[daemon]
poll_interval = "1s"

[http]
listen = "$page"
TOML
    cat >"$etc/policies.d/web-server-01.toml" <<TOML
[server]
id = 12345
name = "web-server-01"

[[rotation]]
name = "weekly"
schedule = "0 3 * * Sun"
keep = 3

[rotation.hooks]
before = ["/bin/sh", "-c", "grep -o 'snaprotate-hook@[^/]*' /proc/self/cgroup | head -n 1; id -u; cat /run/credentials/snaprotate.service/api-token; true"]
after = ["/bin/sh", "-c", "echo \$SNAPROTATE_HOOK of \$SNAPROTATE_SNAPSHOT"]
TOML
}

# Each from the version on that its first line names.
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
}

# Without systemd on the host the container gets a cgroup of its own in each hierarchy that
# systemd uses, so that it touches no other and all of it can be found again.
boot() {
    local keep=() hierarchy
    if [ ! -d /run/systemd/system ]; then
        keep=(--keep-unit)
        if [ -e /sys/fs/cgroup/cgroup.procs ]; then
            set -- /sys/fs/cgroup
        else
            set -- /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
        fi
        for hierarchy in "$@"; do
            [ -e "$hierarchy/cgroup.procs" ] || continue
            mkdir "$hierarchy/snaprotate-test.$$" || give_up "$hierarchy can't be written"
            cgroups+=("$hierarchy/snaprotate-test.$$")
        done
        [ "${#cgroups[@]}" -gt 0 ] || give_up "no cgroups for systemd under /sys/fs/cgroup"
    fi
    (
        for group in "${cgroups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
        # Newer ones refuse to boot on a host with the old cgroups unless told to.
        exec systemd-nspawn --quiet --directory="$work/root" --machine="snaprotate-test-$$" \
            --register=no "${keep[@]}" --resolv-conf=off --timezone=off --console=pipe \
            --setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 --boot \
            systemd.firstboot=off SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
    ) </dev/null >"$work/console" 2>&1 &
    nspawn=$!
    within 60 booted || { tail -n 30 "$work/console"; give_up "the container did not boot in a minute"; }
}

booted() {
    init=$(pgrep -P "$nspawn" | head -n 1)
    [ -n "$init" ] && inside systemctl is-system-running | grep -Eq '^(running|degraded)$'
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d "${TMPDIR:-/var/tmp}/snaprotate-test.XXXXXX")
prepare_host
build_root
start_provider
install_service
boot
version=$(inside systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
echo "systemd $version of $suite is up"
add_drop_ins

# shellcheck source=tests/system/points.sh
. "$here/points.sh"

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

# A Debian container with a systemd of its own, which the tests of this folder boot.
#
#     SUITE=trixie     another Debian release than bookworm
#     CACHE=DIR        where the container's root is kept between runs; default: target/system-test
#
# Needs root (it mounts and boots). debootstrap and systemd-container are installed by apt
# where they are missing. The container has the host's network, so what listens on the host's
# loopback is there too; nothing else is asked for over the network once the root is built.
# shellcheck shell=bash
# shellcheck source=tests/system/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
suite=${SUITE:-bookworm}
cache=${CACHE:-$project/target/system-test}

nspawn='' init='' cgroups=() helpers=()
unit=snaprotate.service
logs=/var/log/private/snaprotate

# Ends what this script started, by process id, and removes what it laid down.
clean_up() {
    trap '' INT TERM HUP
    for helper in $provider "${helpers[@]}"; do kill "$helper" 2>/dev/null; done
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

remove_cgroup() {
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$1" ]
}

# Runs a command inside the container; longer than TimeoutStopSec=, so that it is seen to act.
inside() { timeout 90 nsenter -t "$init" -m -p -u -i -n -C -- "$@"; }

# prepare_host BINARY: what must be there before anything is begun.
prepare_host() {
    [ "$(id -u)" = 0 ] || give_up "needs root, to mount and boot a container; run it with sudo"
    [ -x "$1" ] || give_up "$1 is no program; run cargo build, or name one"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
    if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
        install_packages debootstrap systemd-container debian-archive-keyring
    fi
}

# The root is built once and never booted itself; each run boots a copy.
build_root() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    # One that an older test built lacks certificates.
    if [ ! -d "$cache/$suite/usr/share/ca-certificates" ]; then
        echo "building the container's root in $cache/$suite (about a minute, 270 MB)"
        local mirror
        # shellcheck disable=SC2016
        mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)
        rm -rf --one-file-system "$cache/$suite.new"
        # Its mounts are its own, so that none is left behind if it is interrupted.
        unshare --mount timeout 540 debootstrap --variant=minbase \
            --include=systemd,systemd-sysv,dbus,procps,ca-certificates "$suite" "$cache/$suite.new" ${mirror:+"$mirror"} \
            >"$work/debootstrap" 2>&1 ||
            { tail -n 20 "$work/debootstrap"; give_up "debootstrap failed"; }
        rm -rf --one-file-system "${cache:?}/$suite"
        mv "$cache/$suite.new" "$cache/$suite"
    fi
    cp -a --reflink=auto "$cache/$suite" "$work/root" || give_up "no room for a copy of the root"
    exec 9>&-
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
    version=$(inside systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
    echo "systemd $version of $suite is up"
}

booted() {
    init=$(pgrep -P "$nspawn" | head -n 1)
    [ -n "$init" ] && inside systemctl is-system-running | grep -Eq '^(running|degraded)$'
}

# What the service there says of itself.
property() { inside systemctl show "$unit" --property="$1" --value; }
is() { [ "$(property "$1")" = "$2" ] || { echo "$1 is $(property "$1"), not $2"; said; }; }
said() { inside journalctl --no-pager --lines=12 --unit="$unit" --unit='snaprotate-hook*'; return 1; }

# recorded COUNT EVENT: the trail holds it that often, no more and no less.
recorded() {
    local lines
    lines=$(cat "$work/root$logs"/audit-*.jsonl | grep -c "\"event\":\"$2\"")
    [ "$lines" = "$1" ] || { echo "$2 stands $lines times in the trail, not $1 times"; return 1; }
}
soon_recorded() { within 20 recorded "$@" || { recorded "$@"; said; }; }
running() { [ "$(property ActiveState)/$(property SubState)" = active/running ]; }
